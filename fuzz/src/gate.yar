import "pe"
import "elf"
import "math"
private rule base { strings: $a = "abcd" condition: $a }
rule plain { strings: $a = "abcde" condition: $a }
rule nocase { strings: $a = "GET /x" nocase condition: $a }
rule wide { strings: $a = "abcd" wide ascii fullword condition: $a }
rule xored { strings: $a = "abcdef" xor(1-3) condition: $a }
rule based { strings: $a = "abcdefgh" base64 condition: $a }
rule hexed { strings: $a = { 61 62 ?? 64 65 66 67 [1-3] 68 } condition: $a }
rule either { strings: $a = { 30 ( 31 32 33 34 | 35 36 37 38 ) } condition: $a }
rule regex { strings: $a = /ab(cd|ef)gh[0-9]{2,4}/ condition: $a }
rule regex_nocase { strings: $a = /(foo|bars)baz/i condition: $a }
rule both { strings: $a = "abcd" $b = "efgh" condition: $a and $b }
rule one { strings: $a = "abcd" condition: $a or filesize < 8 }
rule two_of { strings: $a = "abcd" $b = "efgh" $c = "ijkl" condition: 2 of them }
rule none_of { strings: $a = "abcd" $b = "efgh" condition: none of them }
rule percent { strings: $a = "abcd" $b = "efgh" $c = "ijkl" condition: 60% of them }
rule counts { strings: $a = "abcd" $b = "ef" condition: #a > 1 and #b < 3 }
rule compares { strings: $a = "abcd" $b = "efgh" condition: #a > #b }
rule zero { strings: $a = "abcd" condition: #a == 0 and filesize > 20 }
rule at_zero { strings: $a = "MZ" $b = "abcd" condition: $a at 0 and $b }
rule in_range { strings: $a = "abcd" condition: $a in (4..filesize) }
rule offset { strings: $a = "abcd" condition: @a[2] > 10 and !a[1] == 4 }
rule magic { condition: uint16(0) == 0x5A4D or uint32be(0) == 0x7f454c46 }
rule magic_inside { condition: uint8(3) == 0x41 and not uint8(0) == 0x41 }
rule sized { condition: filesize > 30 and filesize <= 40 }
rule module { condition: pe.is_pe or elf.type == elf.ET_EXEC }
rule entropy { condition: math.entropy(0, filesize) > 4.0 }
rule loops { strings: $a = "abcd" condition: for any i in (1..#a) : ( uint8(@a[i] + 4) == 0x65 ) }
rule every { strings: $a = "abcd" $b = "efgh" condition: for all of them : ( @ < 20 ) }
rule never { strings: $a = "abcd" condition: not $a and filesize > 50 }
rule refers { condition: base and filesize > 10 }
rule refers_all { condition: all of (plain, nocase*) }
rule outside { strings: $a = "abcd" condition: $a and filename == "" and not direction == "request" }
rule choice { strings: $a = "abcd" $b = "efgh" condition: (uint16(0) == 0x5A4D and $a) or all of them }
rule choices { strings: $a = "abcd" $b = { 01 ?? 02 } condition: ($a or $b) and (uint8(0) == 0x41 or filesize < 30) }
rule short { strings: $a = "<?" $b = /a\+.b/ condition: any of them }
rule short_nocase { strings: $a = "x<y" nocase condition: $a }
rule short_hex { strings: $a = { 01 ?? 02 ( 03 | 04 ) ~05 } condition: $a }
rule short_wide { strings: $a = "a%" wide condition: $a }
rule short_xored { strings: $a = "ab" xor(1-2) condition: $a }
rule based_wide { strings: $a = "abcdefgh" base64 base64wide ascii wide condition: $a }
rule based_brief { strings: $a = "abc" base64 condition: $a }
rule classes { strings: $a = /%[Aa]b[-+]?cd%/ condition: $a }
rule optional { strings: $a = /p\^?o\^?w\^w/ nocase condition: $a }
rule sums { strings: $a = "abcd" $b = "efgh" $c = "ij" condition: #a + #b > #c }
rule sums_equal { strings: $a = "abcd" $b = "ef" condition: #a + #b >= 2 or #a + #b >= #a + 3 }
