// Files that are not what they are called, and files that are two things at once.

rule executable_as_document
{
    meta:
        id = "disguise/executable-as-document"
        severity = "critical"
        category = "disguise"
        description = "A program under the name or the type of a document, a picture or plain data"
        reference = "https://attack.mitre.org/techniques/T1036/008/"
    condition:
        (
            (uint16(0) == 0x5A4D and uint32(0x3C) < filesize and uint32(uint32(0x3C)) == 0x00004550)
            or uint32be(0) == 0x7F454C46
            or (uint32be(0) == 0xFEEDFACE or uint32be(0) == 0xFEEDFACF or uint32be(0) == 0xCEFAEDFE or uint32be(0) == 0xCFFAEDFE)
        )
        and (
            filename matches /\.(pdf|docx?|docm|rtf|odt|xlsx?|xlsm|ods|csv|pptx?|txt|log|md|json|xml|ya?ml|html?|css|svg|jpe?g|png|gif|bmp|webp|ico|mp3|mp4|wav|avi|mov|mkv|zip|eml|ics)$/i
            or content_type matches /^(text|image|audio|video|font)\//i
            or content_type matches /^application\/(pdf|json|xml|rtf|msword|vnd\.ms-|vnd\.openxmlformats|vnd\.oasis|x-www-form-urlencoded|[a-z.+-]{1,60}\+(json|xml))/i
        )
}

rule executable_double_extension
{
    meta:
        id = "disguise/executable-double-extension"
        severity = "high"
        category = "disguise"
        description = "A program whose name ends like a document's and then like a program's"
        reference = "https://attack.mitre.org/techniques/T1036/007/"
    condition:
        uint16(0) == 0x5A4D
        and filename matches /\.(pdf|docx?|rtf|xlsx?|pptx?|txt|csv|jpe?g|png|gif|mp4|html?|zip)[ ._]{0,40}\.(exe|scr|com|pif|cpl|dll|msi)$/i
}

rule archive_double_extension
{
    meta:
        id = "disguise/archive-double-extension"
        severity = "high"
        category = "disguise"
        description = "Archive with a program or script behind a document's extension"
        reference = "https://attack.mitre.org/techniques/T1036/007/"
    strings:
        $local = /PK\x03\x04[\x00-\xff]{26}[^\x00\r\n]{0,200}\.(pdf|docx?|rtf|xlsx?|pptx?|jpe?g|png|gif|mp4)[ ._]{0,80}\.(exe|scr|com|pif|cpl|bat|cmd|vbs|vbe|jse|wsf|wsh|hta|lnk|ps1|msi)/ nocase
        $script = /PK\x03\x04[\x00-\xff]{26}[^\x00\r\n]{0,200}\.(pdf|docx?|xlsx?|jpe?g)[ _]{0,80}\.js/ nocase
    condition:
        uint32(0) == 0x04034B50 and ($local or $script)
}

rule archive_bidi_name
{
    meta:
        id = "disguise/archive-bidi-name"
        severity = "high"
        category = "disguise"
        description = "Archive with a file name that a right-to-left override turns around"
        reference = "https://attack.mitre.org/techniques/T1036/002/"
    strings:
        $name = /PK\x03\x04[\x00-\xff]{26}[^\x00\r\n]{0,120}\xe2\x80\xae[^\x00\r\n]{0,60}\.(exe|scr|com|pif|bat|cmd|vbs|js|hta|lnk|ps1|msi)/ nocase
    condition:
        uint32(0) == 0x04034B50 and $name
}

rule picture_with_script
{
    meta:
        id = "disguise/picture-with-script"
        severity = "high"
        category = "disguise"
        description = "A picture that carries server-side script"
        reference = "https://owasp.org/www-community/vulnerabilities/Unrestricted_File_Upload"
    strings:
        $php = /<\?php[ \t\r\n]/ nocase
        $short = /<\?=\s{0,4}(`|\$_[GPRC]|@?[a-z_]{2,30}\s{0,4}[(\[])/
        $jsp = /<%@\s{0,8}page\s/ nocase
        $aspx = /<script[^>]{0,60}runat\s{0,4}=\s{0,4}["']?server/ nocase
    condition:
        (
            uint32be(0) == 0x47494638
            or uint16be(0) == 0xFFD8
            or uint32be(0) == 0x89504E47
            or uint16be(0) == 0x424D
            or uint32be(0) == 0x52494646
        )
        and any of them
}

rule gif_script_polyglot
{
    meta:
        id = "disguise/gif-script"
        severity = "high"
        category = "disguise"
        description = "A GIF head that is the beginning of a script"
        reference = "https://portswigger.net/research/bypassing-csp-using-polyglot-jpegs"
    strings:
        $a = /GIF8[79]a\s{0,4}=\s{0,4}(\d|['"\/(\[])/
        $b = /GIF8[79]a\/\*/
        $c = /GIF8[79]a;\s{0,8}(var|eval|<\?|#!|alert|document)/
    condition:
        uint32be(0) == 0x47494638 and ($a at 0 or $b at 0 or $c at 0)
}

rule picture_with_archive
{
    meta:
        id = "disguise/picture-with-java-archive"
        severity = "high"
        category = "disguise"
        description = "A picture that is a Java archive or Android package as well"
        reference = "https://en.wikipedia.org/wiki/Gifar"
    strings:
        $manifest = "META-INF/MANIFEST.MF"
        $local = { 50 4B 03 04 }
        $central = { 50 4B 01 02 }
        $end = { 50 4B 05 06 }
    condition:
        (
            uint32be(0) == 0x47494638
            or uint16be(0) == 0xFFD8
            or uint32be(0) == 0x89504E47
        )
        and $manifest and $local and $central and $end
}

rule executable_pdf_polyglot
{
    meta:
        id = "disguise/program-and-document"
        severity = "high"
        category = "disguise"
        description = "A program that is a PDF as well"
        reference = "https://github.com/corkami/pocs"
    strings:
        $pdf = "%PDF-1."
        $end = "%%EOF"
        $object = /\d obj[\r\n <]/
    condition:
        (uint16(0) == 0x5A4D or uint32be(0) == 0x7F454C46) and $pdf in (0..1024) and $object in (0..4096) and $end
}

rule html_in_picture
{
    meta:
        id = "disguise/svg-script-loader"
        severity = "medium"
        category = "disguise"
        description = "SVG whose script decodes and saves or navigates: a phishing or smuggling page in a picture"
        reference = "https://attack.mitre.org/techniques/T1027/006/"
    strings:
        $svg = "<svg" nocase
        $script = "<script" nocase
        $decode = /\batob\s{0,4}\(\s{0,4}["'`][A-Za-z0-9+\/]{60}/
        $go1 = /location(\.href)?\s{0,4}=/
        $go2 = "createObjectURL"
        $go3 = "document.write"
        $go4 = /\beval\s{0,4}\(/
        $html = "<html" nocase
    condition:
        filesize < 4MB and $svg and $script and $decode and any of ($go*) and not $html
}
