//! Document types that everyone knows, by their exact system identifiers: what a request may name as its external subset.

/// True when fetching the external subset cannot reach anything but a well-known document type.
pub(super) fn is_known(public: Option<&[u8]>, system: Option<&[u8]>) -> bool {
    let Some(system) = system.map(<[u8]>::trim_ascii) else {
        // SGML catalogues, as in HTML 4: there is nothing to fetch.
        return public.is_some();
    };
    if system.eq_ignore_ascii_case(b"about:legacy-compat") {
        return true;
    }
    let address = [b"http://".as_slice(), b"https://"]
        .iter()
        .find_map(|scheme| system.strip_prefix(*scheme));
    match address {
        Some(address) => is_cxml(address) || KNOWN.iter().any(|known| known.as_bytes() == address),
        // The file's own name, as the standards' examples have it; it lies beside the document.
        None => {
            public.is_some_and(|public| public.trim_ascii().starts_with(b"-//"))
                && KNOWN.iter().any(|known| {
                    known
                        .as_bytes()
                        .strip_suffix(system)
                        .is_some_and(|front| front.ends_with(b"/"))
                        && !system.contains(&b'/')
                })
        }
    }
}

/// True for `xml.cxml.org/schemas/cXML/1.2.014/InvoiceDetail.dtd`: orders and invoices name their version, of which there are
/// dozens.
fn is_cxml(address: &[u8]) -> bool {
    const HOST: &[u8] = b"xml.cxml.org";
    let Some((host, path)) = address.split_at_checked(HOST.len()) else {
        return false;
    };
    let Some(rest) = path.strip_prefix(b"/schemas/cXML/") else {
        return false;
    };
    let Some(slash) = memchr::memchr(b'/', rest) else {
        return false;
    };
    let (version, name) = rest.split_at(slash);
    let name = name.strip_suffix(b".dtd").unwrap_or_default();
    host.eq_ignore_ascii_case(HOST)
        && version
            .iter()
            .all(|byte| byte.is_ascii_digit() || *byte == b'.')
        && version.starts_with(b"1.")
        && name.len() > 1
        && name.iter().skip(1).all(u8::is_ascii_alphabetic)
}

/// Without their scheme.
const KNOWN: [&str; 98] = [
    "www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd",
    "www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd",
    "www.w3.org/TR/xhtml1/DTD/xhtml1-frameset.dtd",
    "www.w3.org/TR/2000/REC-xhtml1-20000126/DTD/xhtml1-strict.dtd",
    "www.w3.org/TR/2000/REC-xhtml1-20000126/DTD/xhtml1-transitional.dtd",
    "www.w3.org/TR/xhtml11/DTD/xhtml11.dtd",
    "www.w3.org/TR/xhtml-basic/xhtml-basic10.dtd",
    "www.w3.org/TR/xhtml-basic/xhtml-basic11.dtd",
    "www.w3.org/MarkUp/DTD/xhtml-rdfa-1.dtd",
    "www.w3.org/MarkUp/DTD/xhtml-rdfa-2.dtd",
    "www.w3.org/TR/html4/strict.dtd",
    "www.w3.org/TR/html4/loose.dtd",
    "www.w3.org/TR/html4/frameset.dtd",
    "www.w3.org/TR/1999/REC-html401-19991224/strict.dtd",
    "www.w3.org/TR/1999/REC-html401-19991224/loose.dtd",
    "www.w3.org/TR/REC-html40/strict.dtd",
    "www.w3.org/TR/REC-html40/loose.dtd",
    "www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd",
    "www.w3.org/Graphics/SVG/1.1/DTD/svg11-basic.dtd",
    "www.w3.org/Graphics/SVG/1.1/DTD/svg11-tiny.dtd",
    "www.w3.org/TR/2001/REC-SVG-20010904/DTD/svg10.dtd",
    "www.w3.org/TR/SVG/DTD/svg10.dtd",
    "www.w3.org/TR/2001/PR-SVG-20010719/DTD/svg10.dtd",
    "www.w3.org/TR/2000/CR-SVG-20001102/DTD/svg-20001102.dtd",
    "www.w3.org/Graphics/SVG/SVG-19991203.dtd",
    "www.w3.org/Math/DTD/mathml1/mathml.dtd",
    "www.w3.org/Math/DTD/mathml2/mathml2.dtd",
    "www.w3.org/TR/MathML2/dtd/mathml2.dtd",
    "www.w3.org/Math/DTD/mathml3/mathml3.dtd",
    "www.w3.org/Math/DTD/mathml2/xhtml-math11-f.dtd",
    "www.w3.org/2002/04/xhtml-math-svg/xhtml-math-svg.dtd",
    "www.w3.org/2001/SMIL20/SMIL20.dtd",
    "www.w3.org/TR/REC-smil/SMIL10.dtd",
    "www.w3.org/2001/XMLSchema.dtd",
    "www.apple.com/DTDs/PropertyList-1.0.dtd",
    "www.oasis-open.org/docbook/xml/4.1.2/docbookx.dtd",
    "www.oasis-open.org/docbook/xml/4.2/docbookx.dtd",
    "www.oasis-open.org/docbook/xml/4.3/docbookx.dtd",
    "www.oasis-open.org/docbook/xml/4.4/docbookx.dtd",
    "www.oasis-open.org/docbook/xml/4.5/docbookx.dtd",
    "docbook.org/xml/4.4/docbookx.dtd",
    "docbook.org/xml/4.5/docbookx.dtd",
    "docbook.org/xml/5.0/dtd/docbook.dtd",
    "www.docbook.org/xml/5.0/dtd/docbook.dtd",
    "www.oasis-open.org/committees/entity/release/1.0/catalog.dtd",
    "www.oasis-open.org/committees/entity/release/1.1/catalog.dtd",
    "docs.oasis-open.org/dita/v1.1/OS/dtd/topic.dtd",
    "docs.oasis-open.org/dita/v1.1/OS/dtd/concept.dtd",
    "docs.oasis-open.org/dita/v1.1/OS/dtd/task.dtd",
    "java.sun.com/dtd/properties.dtd",
    "java.sun.com/dtd/web-app_2_3.dtd",
    "java.sun.com/j2ee/dtds/web-app_2_2.dtd",
    "java.sun.com/dtd/web-jsptaglibrary_1_2.dtd",
    "java.sun.com/dtd/ejb-jar_2_0.dtd",
    "java.sun.com/dtd/application_1_3.dtd",
    "java.sun.com/dtd/preferences.dtd",
    "www.hibernate.org/dtd/hibernate-mapping-3.0.dtd",
    "www.hibernate.org/dtd/hibernate-configuration-3.0.dtd",
    "hibernate.sourceforge.net/hibernate-mapping-3.0.dtd",
    "hibernate.sourceforge.net/hibernate-configuration-3.0.dtd",
    "mybatis.org/dtd/mybatis-3-mapper.dtd",
    "mybatis.org/dtd/mybatis-3-config.dtd",
    "www.springframework.org/dtd/spring-beans.dtd",
    "www.springframework.org/dtd/spring-beans-2.0.dtd",
    "struts.apache.org/dtds/struts-2.0.dtd",
    "struts.apache.org/dtds/struts-2.3.dtd",
    "struts.apache.org/dtds/struts-2.5.dtd",
    "jakarta.apache.org/struts/dtds/struts-config_1_0.dtd",
    "jakarta.apache.org/struts/dtds/struts-config_1_1.dtd",
    "jakarta.apache.org/struts/dtds/struts-config_1_2.dtd",
    "struts.apache.org/dtds/struts-config_1_2.dtd",
    "struts.apache.org/dtds/struts-config_1_3.dtd",
    "tiles.apache.org/dtds/tiles-config_2_0.dtd",
    "tiles.apache.org/dtds/tiles-config_2_1.dtd",
    "tiles.apache.org/dtds/tiles-config_3_0.dtd",
    "ibatis.apache.org/dtd/sql-map-2.dtd",
    "ibatis.apache.org/dtd/sql-map-config-2.dtd",
    "checkstyle.org/dtds/configuration_1_3.dtd",
    "checkstyle.sourceforge.io/dtds/configuration_1_3.dtd",
    "www.puppycrawl.com/dtds/configuration_1_3.dtd",
    "testng.org/testng-1.0.dtd",
    "www.eclipse.org/jetty/configure_9_3.dtd",
    "www.eclipse.org/jetty/configure_10_0.dtd",
    "jetty.org/configure_9_3.dtd",
    "jetty.org/configure_10_0.dtd",
    "www.daisy.org/z3986/2005/ncx-2005-1.dtd",
    "logging.apache.org/log4j/1.2/apidocs/org/apache/log4j/xml/doc-files/log4j.dtd",
    "my.netscape.com/publish/formats/rss-0.91.dtd",
    "www.wapforum.org/DTD/wml_1.1.xml",
    "www.wapforum.org/DTD/wml12.dtd",
    "www.wapforum.org/DTD/wml13.dtd",
    "www.wapforum.org/DTD/xhtml-mobile10.dtd",
    "www.freedesktop.org/standards/dbus/1.0/introspect.dtd",
    "www.freedesktop.org/standards/dbus/1.0/busconfig.dtd",
    "www.freedesktop.org/standards/PolicyKit/1/policyconfig.dtd",
    "www.musicxml.org/dtds/partwise.dtd",
    "www.musicxml.org/dtds/timewise.dtd",
    "jats.nlm.nih.gov/publishing/1.2/JATS-journalpublishing1.dtd",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_identifiers_are_known() {
        let svg = Some(b"-//W3C//DTD SVG 1.1//EN".as_slice());
        let known = |public, system: &'static str| is_known(public, Some(system.as_bytes()));
        assert!(known(
            svg,
            "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd"
        ));
        assert!(known(
            svg,
            "https://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd"
        ));
        assert!(known(svg, "svg11.dtd"));
        assert!(known(None, "about:legacy-compat"));
        assert!(is_known(svg, None));
        assert!(!is_known(None, None));
        for system in [
            "",
            "x.dtd",
            "11.dtd",
            "http://www.w3.org/evil.dtd",
            "file:///svg11.dtd",
            "../svg11.dtd",
        ] {
            assert!(!known(svg, system), "{system}");
        }
        assert!(!known(None, "svg11.dtd"));
        assert!(known(
            None,
            "http://xml.cXML.org/schemas/cXML/1.2.020/InvoiceDetail.dtd"
        ));
        for address in [
            "http://xml.cxml.org/schemas/cXML/1.2/../x.dtd",
            "http://xml.cxml.org/schemas/cXML/../x.dtd",
            "http://xml.cxml.org/schemas/cXML/1.2.020/.dtd",
            "http://xml.cxml.org.evil.example/schemas/cXML/1.2.020/cXML.dtd",
            "http://xml.cxml.org/schemas/cXML/1.2.020/cXML.dtd?x",
        ] {
            assert!(!known(None, address), "{address}");
        }
    }
}
