// Server-side scripts that run what a request says: PHP, JSP, ASP, ASP.NET.

rule webshell_php_request_call
{
    meta:
        id = "webshell/php-request-call"
        severity = "critical"
        category = "malware"
        description = "PHP that evaluates or executes a request value"
        reference = "https://attack.mitre.org/techniques/T1505/003/"
    strings:
        $call = /\b(eval|assert|system|exec|passthru|shell_exec|popen|proc_open|pcntl_exec|create_function|call_user_func)\s{0,8}\(\s{0,8}[@(]{0,4}\s{0,8}\$_(GET|POST|REQUEST|COOKIE|SERVER|FILES)\b/ nocase
        $decoded = /\b(eval|assert|system|passthru|shell_exec)\s{0,8}\(\s{0,8}@?(base64_decode|gzinflate|gzuncompress|str_rot13|hex2bin|strrev|rawurldecode)\s{0,8}\(\s{0,8}@?\$_(GET|POST|REQUEST|COOKIE|SERVER)\b/ nocase
        $ticks = /`\s{0,8}\{?\$_(GET|POST|REQUEST|COOKIE)\s{0,4}\[/
        $variable = /\$_(GET|POST|REQUEST|COOKIE)\s{0,4}\[[^\]]{1,40}\]\s{0,8}\(\s{0,8}@?\$_(GET|POST|REQUEST|COOKIE)\s{0,4}\[/ nocase
        $open1 = "<?php" nocase
        $open2 = "<?="
        $open3 = "<script language=\"php\"" nocase
    condition:
        filesize < 2MB and any of ($open*) and any of ($call, $decoded, $ticks, $variable)
}

rule webshell_php_packed
{
    meta:
        id = "webshell/php-packed"
        severity = "high"
        category = "malware"
        description = "PHP that evaluates a packed blob of itself"
        reference = "https://attack.mitre.org/techniques/T1027/"
    strings:
        $packed = /\b(eval|assert)\s{0,8}\(\s{0,8}@?(gzinflate|gzuncompress|gzdecode|str_rot13|strrev|base64_decode)\s{0,8}\(\s{0,8}@?(gzinflate|gzuncompress|str_rot13|strrev|base64_decode|hex2bin)\s{0,8}\(/ nocase
        $blob = /\beval\s{0,8}\(\s{0,8}base64_decode\s{0,8}\(\s{0,8}['"][A-Za-z0-9+\/=]{200}/ nocase
        $open1 = "<?php" nocase
        $open2 = "<?="
    condition:
        filesize < 4MB and any of ($open*) and any of ($packed, $blob)
}

rule webshell_php_preg_replace_eval
{
    meta:
        id = "webshell/php-preg-replace-eval"
        severity = "high"
        category = "malware"
        description = "PHP that evaluates a request value through preg_replace's e modifier"
        reference = "https://www.php.net/manual/en/reference.pcre.pattern.modifiers.php"
    strings:
        $call = /preg_replace\s{0,4}\(\s{0,4}['"]([\/#~|])[^'"]{0,60}[\/#~|][imsxu]{0,5}e[imsxu]{0,5}['"]\s{0,4},\s{0,4}@?(\$_(GET|POST|REQUEST|COOKIE)|['"][^'"]{0,20}eval)/ nocase
    condition:
        filesize < 2MB and $call
}

rule webshell_jsp_exec
{
    meta:
        id = "webshell/jsp-exec"
        severity = "critical"
        category = "malware"
        description = "JSP that executes a request parameter"
        reference = "https://attack.mitre.org/techniques/T1505/003/"
    strings:
        $open = "<%"
        $tag = "<jsp:scriptlet" nocase
        $parameter = "request.getParameter(" nocase
        $header = "request.getHeader(" nocase
        $runtime = /Runtime\s{0,4}\.\s{0,4}getRuntime\s{0,4}\(\s{0,4}\)\s{0,4}\.\s{0,4}exec\s{0,4}\(/
        $builder = /new\s{1,4}(java\.lang\.)?ProcessBuilder\s{0,4}\(/
        $reflection = "java.lang.Runtime\").getMethod("
    condition:
        filesize < 2MB and ($open or $tag) and ($parameter or $header) and any of ($runtime, $builder, $reflection)
}

rule webshell_jsp_classloader
{
    meta:
        id = "webshell/jsp-classloader"
        severity = "critical"
        category = "malware"
        description = "JSP that decrypts and defines a class out of the request, as Behinder and Godzilla do"
        reference = "https://attack.mitre.org/techniques/T1620/"
    strings:
        $open = "<%"
        $define = /\bdefineClass\s{0,4}\(/
        $cipher = /Cipher\s{0,4}\.\s{0,4}getInstance\s{0,4}\(/
        $loader = /extends\s{1,8}ClassLoader/
        $body1 = "request.getReader()"
        $body2 = "request.getInputStream()"
        $body3 = "request.getParameter("
    condition:
        filesize < 1MB and $open and $define and $loader and $cipher and any of ($body*)
}

rule webshell_aspx_eval
{
    meta:
        id = "webshell/aspx-eval"
        severity = "critical"
        category = "malware"
        description = "ASP or ASP.NET page that evaluates or executes a request value"
        reference = "https://attack.mitre.org/techniques/T1505/003/"
    strings:
        $open = "<%"
        $runat = /<script[^>]{0,80}runat\s{0,4}=\s{0,4}["']?server/ nocase
        $eval = /\b(eval|execute|executeglobal)\s{0,4}\(?\s{0,4}request\s{0,4}[.(\[]/ nocase
        $jscript = /\beval\s{0,4}\(\s{0,4}(System\.Text\.Encoding\.[^;]{1,120}FromBase64String\s{0,4}\(\s{0,4})?Request\.(Item|Form|QueryString|Params|Headers)?\s{0,4}\[/ nocase
    condition:
        filesize < 2MB and ($open or $runat) and ($eval or $jscript)
}

rule webshell_aspx_process
{
    meta:
        id = "webshell/aspx-process"
        severity = "high"
        category = "malware"
        description = "ASP.NET page that starts a command shell from a request value"
        reference = "https://attack.mitre.org/techniques/T1505/003/"
    strings:
        $page = /<%@\s{0,8}(Page|WebHandler)\b/ nocase
        $request = /\bRequest\s{0,4}(\.\s{0,4}(Form|QueryString|Params|Item|Headers)\s{0,4})?[\[(]/ nocase
        $process = "ProcessStartInfo" nocase
        $start = /Process\s{0,4}\.\s{0,4}Start\s{0,4}\(/
        $shell1 = "cmd.exe" nocase
        $shell2 = "powershell" nocase
    condition:
        filesize < 1MB and $page and $request and ($process or $start) and any of ($shell*)
}

rule webshell_asp_classic
{
    meta:
        id = "webshell/asp-shell"
        severity = "high"
        category = "malware"
        description = "Classic ASP that hands a request value to a command shell"
        reference = "https://attack.mitre.org/techniques/T1505/003/"
    strings:
        $open = "<%"
        $shell = /CreateObject\s{0,4}\(\s{0,4}["'](WScript\.Shell|Shell\.Application)["']/ nocase
        $request = /\bRequest\s{0,4}(\.\s{0,4}(Form|QueryString)\s{0,4})?\(/ nocase
        $run = /\.\s{0,4}(Exec|Run|ShellExecute)\s{0,4}[( ]/ nocase
    condition:
        filesize < 1MB and $open and $shell and $request and $run
}
