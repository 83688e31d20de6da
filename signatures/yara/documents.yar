// Documents that act: macros that run by themselves, objects that load by themselves.

rule office_macro_autorun
{
    meta:
        id = "office/macro-autorun"
        severity = "high"
        category = "malware"
        description = "Office document (or its VBA part) with a macro that runs by itself and starts programs"
        reference = "https://attack.mitre.org/techniques/T1204/002/"
    strings:
        $vba1 = "_VBA_PROJECT" ascii wide
        $vba2 = "VBA6" ascii wide
        $vba3 = "VBA7" ascii wide
        $auto1 = "AutoOpen" nocase
        $auto2 = "Auto_Open" nocase
        $auto3 = "AutoExec" nocase
        $auto4 = "AutoClose" nocase
        $auto5 = "Document_Open" nocase
        $auto6 = "Document_Close" nocase
        $auto7 = "DocumentOpen" nocase
        $auto8 = "Workbook_Open" nocase
        $auto9 = "WorkbookOpen" nocase
        $auto10 = "Workbook_Activate" nocase
        $act1 = "WScript.Shell" nocase
        $act2 = "Shell.Application" nocase
        $act3 = "powershell" nocase
        $act4 = "URLDownloadToFile" nocase
        $act5 = "MSXML2.XMLHTTP" nocase
        $act6 = "Win32_Process" nocase
        $act7 = "ADODB.Stream" nocase
        $act8 = "cmd.exe" nocase
        $act9 = "cmd /c" nocase
        $act10 = "CreateThread" nocase
        $act11 = "VirtualAlloc" nocase
        $act12 = "ShellExecute" nocase
        $act13 = "certutil" nocase
        $act14 = "mshta" nocase
    condition:
        uint32be(0) == 0xD0CF11E0 and any of ($vba*) and any of ($auto*) and any of ($act*)
}

rule office_macro_hidden
{
    meta:
        id = "office/macro-in-macro-free-type"
        severity = "high"
        category = "disguise"
        description = "Office document with a macro project under a name or type that says it has none"
        reference = "https://learn.microsoft.com/deployoffice/security/internet-macros-blocked"
    strings:
        $project = "vbaProject.bin"
        $office = "[Content_Types].xml"
    condition:
        uint32(0) == 0x04034B50 and $office and $project
        and (filename matches /\.(docx|xlsx|pptx|dotx|xltx|potx)$/i
            or content_type matches /^application\/vnd\.openxmlformats-officedocument\./i)
}

rule office_remote_template
{
    meta:
        id = "office/remote-template"
        severity = "high"
        category = "malware"
        description = "Office relationship that loads a template, a frame or an object from a remote host when opened"
        reference = "https://attack.mitre.org/techniques/T1221/"
    strings:
        $relationships = "<Relationships" nocase
        $a = /<Relationship\s[^>]{0,400}\/(attachedTemplate|oleObject|frame|subDocument)"[^>]{0,400}Target\s{0,4}=\s{0,4}"(https?|mhtml|file|ftp|\\\\)[^>]{0,400}TargetMode\s{0,4}=\s{0,4}"External"/ nocase
        $b = /<Relationship\s[^>]{0,400}Target\s{0,4}=\s{0,4}"(https?|mhtml|file|ftp|\\\\)[^>]{0,400}\/(attachedTemplate|oleObject|frame|subDocument)"[^>]{0,400}TargetMode\s{0,4}=\s{0,4}"External"/ nocase
        $c = /TargetMode\s{0,4}=\s{0,4}"External"[^>]{0,400}\/(attachedTemplate|oleObject|frame|subDocument)"[^>]{0,400}Target\s{0,4}=\s{0,4}"(https?|mhtml|file|ftp|\\\\)/ nocase
    condition:
        filesize < 4MB and $relationships and any of ($a, $b, $c)
}

rule rtf_equation_exploit
{
    meta:
        id = "office/rtf-embedded-object"
        severity = "high"
        category = "exploit"
        description = "RTF with an embedded object that updates itself, or the equation editor (CVE-2017-11882)"
        reference = "https://nvd.nist.gov/vuln/detail/CVE-2017-11882"
    strings:
        $data = "\\objdata" nocase
        $update = "\\objupdate" nocase
        $equation1 = "4571756174696f6e2e33" nocase
        $equation2 = "Equation.3" nocase
        $equation3 = "02ce020000000000c000000000000046" nocase
        $ole = "d0cf11e0a1b11ae1" nocase
    condition:
        uint32be(0) == 0x7B5C7274 and $data and ($equation1 or $equation2 or $equation3 or ($update and $ole))
}

rule pdf_launch
{
    meta:
        id = "office/pdf-launch"
        severity = "high"
        category = "malware"
        description = "PDF that starts a program when it is opened"
        reference = "https://attack.mitre.org/techniques/T1204/002/"
    strings:
        $launch = /\/S\s{0,4}\/Launch\b/
        $file = /\/(F|Win)\b/
        $program = /([("\/\\ ](cmd|powershell|mshta|wscript|cscript|rundll32)|\.(exe|bat|vbs|js))["\s)]/ nocase
    condition:
        uint32be(0) == 0x25504446 and all of them
}

rule pdf_javascript_exploit
{
    meta:
        id = "office/pdf-javascript-exploit"
        severity = "high"
        category = "exploit"
        description = "PDF whose script calls functions that are known for exploits"
        reference = "https://attack.mitre.org/techniques/T1203/"
    strings:
        $js1 = "/JavaScript"
        $js2 = "/JS"
        $call1 = "Collab.collectEmailInfo"
        $call2 = "Collab.getIcon"
        $call3 = "util.printf(\"%45000"
        $call4 = "media.newPlayer(null)"
        $call5 = "spell.customDictionaryOpen"
        $call6 = "this.exportDataObject({ cName"
        $sled = /unescape\s{0,4}\(\s{0,4}["'](%u[0-9a-f]{4}){8}/ nocase
    condition:
        uint32be(0) == 0x25504446 and any of ($js*) and ($sled or any of ($call*))
}
