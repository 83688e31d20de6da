//! Events of browsers and the attributes that handle them.

/// `onload`, `onwebkittransitionend`, and unknown ones of the same make.
pub(super) fn is_handler(name: &[u8]) -> bool {
    name.len() >= 5
        && name.len() <= HANDLER_BYTES
        && name.starts_with(b"on")
        && name.iter().all(u8::is_ascii_alphabetic)
}

/// True for the handler of an event that browsers have.
pub(super) fn is_known(name: &[u8]) -> bool {
    EVENTS.binary_search(&name).is_ok()
}

/// Events of browsers, in lower case, sorted.
const EVENTS: &[&[u8]] = &[
    b"onabort",
    b"onactivate",
    b"onafterprint",
    b"onanimationend",
    b"onanimationstart",
    b"onauxclick",
    b"onbeforecopy",
    b"onbeforecut",
    b"onbeforeinput",
    b"onbeforepaste",
    b"onbeforeprint",
    b"onbeforeunload",
    b"onbegin",
    b"onblur",
    b"onbounce",
    b"oncanplay",
    b"onchange",
    b"onclick",
    b"onclose",
    b"oncontextmenu",
    b"oncopy",
    b"oncut",
    b"ondblclick",
    b"ondrag",
    b"ondragend",
    b"ondragenter",
    b"ondragleave",
    b"ondragover",
    b"ondragstart",
    b"ondrop",
    b"onend",
    b"onended",
    b"onerror",
    b"onfinish",
    b"onfocus",
    b"onfocusin",
    b"onfocusout",
    b"onformdata",
    b"onfullscreenchange",
    b"onhashchange",
    b"oninput",
    b"oninvalid",
    b"onkeydown",
    b"onkeypress",
    b"onkeyup",
    b"onload",
    b"onloadeddata",
    b"onloadend",
    b"onloadstart",
    b"onmessage",
    b"onmousedown",
    b"onmouseenter",
    b"onmouseleave",
    b"onmousemove",
    b"onmouseout",
    b"onmouseover",
    b"onmouseup",
    b"onmousewheel",
    b"onmove",
    b"onpagehide",
    b"onpageshow",
    b"onpaste",
    b"onplay",
    b"onplaying",
    b"onpointerdown",
    b"onpointerenter",
    b"onpointermove",
    b"onpointerover",
    b"onpointerup",
    b"onpopstate",
    b"onprogress",
    b"onpropertychange",
    b"onreadystatechange",
    b"onrepeat",
    b"onreset",
    b"onresize",
    b"onscroll",
    b"onsearch",
    b"onselect",
    b"onselectstart",
    b"onshow",
    b"onstart",
    b"onstorage",
    b"onsubmit",
    b"ontoggle",
    b"ontouchend",
    b"ontouchmove",
    b"ontouchstart",
    b"ontransitionend",
    b"onunload",
    b"onwebkitanimationend",
    b"onwheel",
    b"onzoom",
];

/// Letters of the longest name of an event.
pub(super) const HANDLER_BYTES: usize = 48;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_sorted() {
        assert!(EVENTS.is_sorted());
    }
}
