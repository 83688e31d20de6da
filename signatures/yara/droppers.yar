// Scripts and shortcuts that fetch and start something.

rule dropper_powershell_encoded
{
    meta:
        id = "dropper/powershell-encoded"
        severity = "high"
        category = "malware"
        description = "PowerShell started with an encoded command"
        reference = "https://attack.mitre.org/techniques/T1059/001/"
    strings:
        $ascii = /\b(powershell|pwsh)(\.exe)?["']?\s[^\r\n]{0,160}[-\/]e(n(c(o(d(e(d(c(o(m(m(a(n(d)?)?)?)?)?)?)?)?)?)?)?)?)?["']?\s{1,8}["']?[A-Za-z0-9+\/]{40}/ nocase
        $wide = /\b(powershell|pwsh)(\.exe)?["']?\s[^\r\n]{0,160}[-\/]e(n(c(o(d(e(d(c(o(m(m(a(n(d)?)?)?)?)?)?)?)?)?)?)?)?)?["']?\s{1,8}["']?[A-Za-z0-9+\/]{40}/ nocase wide
    condition:
        $ascii or $wide
}

rule dropper_powershell_download
{
    meta:
        id = "dropper/powershell-download"
        severity = "high"
        category = "malware"
        description = "PowerShell that runs what it downloads"
        reference = "https://attack.mitre.org/techniques/T1105/"
    strings:
        $client = /(IEX|Invoke-Expression)[\s(&'"]{1,12}\(?\s{0,4}New-Object\s{1,4}(System\.)?Net\.WebClient\s{0,4}\)?\s{0,4}\.\s{0,4}Download(String|Data)\s{0,4}\(/ nocase
        $request = /(IEX|Invoke-Expression)[\s(&'"]{1,12}\(?\s{0,4}(iwr|irm|curl|wget|Invoke-WebRequest|Invoke-RestMethod)\s{1,4}[^\r\n|]{0,40}https?:/ nocase
        // What $request begins with, in words long enough for the gate: "http" alone is in every other body.
        $run1 = "IEX " nocase
        $run2 = "IEX\t" nocase
        $run3 = "IEX\n" nocase
        $run4 = "IEX\r" nocase
        $run5 = "IEX\x0b" nocase
        $run6 = "IEX\x0c" nocase
        $run7 = "IEX(" nocase
        $run8 = "IEX&" nocase
        $run9 = "IEX'" nocase
        $run10 = "IEX\"" nocase
        $run11 = "Invoke-Expression" nocase
        $hidden = /\bpowershell(\.exe)?["']?\s[^\r\n]{0,120}-w(indowstyle)?\s{1,4}h(idden)?\b[^\r\n]{0,300}(DownloadString|DownloadFile|Invoke-WebRequest|FromBase64String)/ nocase
    condition:
        $client or $hidden or ($request and any of ($run*))
}

rule dropper_living_off_the_land
{
    meta:
        id = "dropper/system-tool-download"
        severity = "high"
        category = "malware"
        description = "A Windows system tool used to fetch or run remote code"
        reference = "https://lolbas-project.github.io/"
    strings:
        $certutil = /\bcertutil(\.exe)?["']?\s[^\r\n]{0,80}[-\/](urlcache|verifyctl)\s[^\r\n]{0,80}https?:/ nocase
        $mshta = /\bmshta(\.exe)?["']?\s{1,8}["']?(https?:|vbscript:|javascript:)/ nocase
        $regsvr = /\bregsvr32(\.exe)?["']?\s[^\r\n]{0,60}[-\/]i:["']?https?:/ nocase
        $rundll = /\brundll32(\.exe)?["']?\s{1,8}["']?(javascript:|shell32\.dll,ShellExec_RunDLL\s|mshtml,RunHTMLApplication)/ nocase
        $bits = /\bbitsadmin(\.exe)?["']?\s[^\r\n]{0,80}\/transfer\s[^\r\n]{0,120}https?:/ nocase
        $wmic = /\bwmic(\.exe)?["']?\s[^\r\n]{0,80}\/format:["']?https?:/ nocase
        $msiexec = /\bmsiexec(\.exe)?["']?\s[^\r\n]{0,40}\/(q[nb]?|i)\s[^\r\n]{0,40}https?:\/\/[^\r\n]{1,120}\s\/q/ nocase
    condition:
        any of them
}

rule dropper_script_host
{
    meta:
        id = "dropper/script-host"
        severity = "high"
        category = "malware"
        description = "Windows script that downloads a file and starts it"
        reference = "https://attack.mitre.org/techniques/T1059/005/"
    strings:
        $shell1 = "WScript.Shell" nocase
        $shell2 = "Shell.Application" nocase
        $http1 = "MSXML2.XMLHTTP" nocase
        $http2 = "MSXML2.ServerXMLHTTP" nocase
        $http3 = "WinHttp.WinHttpRequest" nocase
        $http4 = "Microsoft.XMLHTTP" nocase
        $stream = "ADODB.Stream" nocase
        $save = "SaveToFile" nocase
        $object1 = "CreateObject" nocase
        $object2 = "ActiveXObject" nocase
    condition:
        filesize < 2MB and any of ($shell*) and any of ($http*) and $stream and $save and any of ($object*)
}

rule dropper_hta
{
    meta:
        id = "dropper/hta"
        severity = "high"
        category = "malware"
        description = "HTML application that starts a command"
        reference = "https://attack.mitre.org/techniques/T1218/005/"
    strings:
        $hta = "<hta:application" nocase
        $shell = "WScript.Shell" nocase
        $run1 = /\.\s{0,4}Run\s{0,4}[( "]/ nocase
        $run2 = /\.\s{0,4}Exec\s{0,4}\(/ nocase
        $run3 = "ShellExecute" nocase
    condition:
        filesize < 4MB and $hta and $shell and any of ($run*)
}

rule dropper_shortcut
{
    meta:
        id = "dropper/shortcut"
        severity = "high"
        category = "malware"
        description = "Windows shortcut that starts a script interpreter with a download or an encoded command"
        reference = "https://attack.mitre.org/techniques/T1204/002/"
    strings:
        $tool1 = "powershell" nocase ascii wide
        $tool2 = "mshta" nocase ascii wide
        $tool3 = "cmd.exe" nocase ascii wide
        $tool4 = "wscript" nocase ascii wide
        $tool5 = "rundll32" nocase ascii wide
        $act1 = "http://" nocase ascii wide
        $act2 = "https://" nocase ascii wide
        $act3 = " -enc" nocase ascii wide
        $act4 = " -e " nocase ascii wide
        $act5 = "javascript:" nocase ascii wide
        $act6 = "FromBase64String" nocase ascii wide
        $act7 = " /c start" nocase ascii wide
    condition:
        uint32(0) == 0x0000004C and uint32(4) == 0x00021401 and filesize < 4MB and any of ($tool*) and any of ($act*)
}

rule dropper_html_smuggling
{
    meta:
        id = "dropper/html-smuggling"
        severity = "medium"
        category = "malware"
        description = "Page that assembles an executable or an archive out of its own text and saves it"
        reference = "https://attack.mitre.org/techniques/T1027/006/"
    strings:
        $save1 = "msSaveOrOpenBlob"
        $save2 = "URL.createObjectURL"
        $save3 = /\.download\s{0,4}=\s{0,4}["'`][^"'`]{1,80}\.(exe|iso|img|zip|scr|msi|hta|js|vbs|lnk)["'`]/ nocase
        $decode = /\batob\s{0,4}\(/
        $pe = /["'`]TV(qQ|pQ|oA|pB|rq)AA[A-Za-z0-9+\/]{100}/
        $zip = /["'`]UEsDB[A-Za-z0-9+\/]{100}/
        $html1 = "<html" nocase
        $html2 = "<script" nocase
    condition:
        filesize < 16MB and any of ($html*) and $decode and any of ($save*) and ($pe or ($zip and $save3))
}

rule dropper_onenote
{
    meta:
        id = "dropper/onenote"
        severity = "high"
        category = "malware"
        description = "OneNote file with an embedded script or executable"
        reference = "https://attack.mitre.org/techniques/T1566/001/"
    strings:
        $embedded = { E7 16 E3 BD 65 26 11 45 A4 C4 8D 4D 0B 7A 9E AC }
        $what1 = "<hta:application" nocase
        $what2 = "WScript.Shell" nocase
        $what3 = "powershell" nocase
        $what4 = "This program cannot be run in DOS mode"
        $what5 = "@echo off" nocase
        $what6 = "CreateObject(" nocase
    condition:
        uint32be(0) == 0xE4525C7B and uint32be(4) == 0x8CD8A74D and $embedded and any of ($what*)
}
