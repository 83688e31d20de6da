//! The findings of the XML reader: ids, classes, scores, reasons.

use super::doctype::{Doctype, Value};
use super::entity::Entities;
use super::place::{self, Reach};
use super::published;
use super::token::Fault;
use crate::inspect::Category;
use crate::inspect::record::Charge;

const fn xxe(rule: &'static str, score: u8, reason: &'static str) -> Charge {
    Charge {
        rule,
        category: Category::Xxe,
        score,
        reason,
    }
}

const fn bomb(rule: &'static str, reason: &'static str) -> Charge {
    Charge {
        rule,
        category: Category::XmlBomb,
        score: 100,
        reason,
    }
}

/// All of these are fatal errors (XML 1.0 §1.2): no conforming reader goes on, so no honest sender relies on one.
const fn malformed(rule: &'static str, score: u8, reason: &'static str) -> Charge {
    Charge {
        rule,
        category: Category::XmlMalformed,
        score,
        reason,
    }
}

pub(super) const EXTERNAL_ENTITY: Charge = xxe("xxe/external-entity", 100, "external entity");
pub(super) const PARAMETER_ENTITY: Charge = xxe("xxe/parameter-entity", 100, "parameter entity");
pub(super) const EXTERNAL_SUBSET: Charge = xxe(
    "xxe/external-subset",
    100,
    "external subset of a foreign system",
);
pub(super) const RELATIVE_SUBSET: Charge = xxe(
    "xxe/relative-subset",
    50,
    "external subset beside the document",
);
pub(super) const UNKNOWN_SUBSET: Charge = xxe(
    "xxe/unknown-subset",
    80,
    "external subset of a request that is no well-known document type",
);
pub(super) const FOREIGN_DOCTYPE: Charge = xxe(
    "xxe/foreign-doctype",
    70,
    "entities declared for another document type than the root element's",
);
pub(super) const EMBEDDED_DOCTYPE: Charge = xxe(
    "xxe/embedded-doctype",
    100,
    "document type declaration with external or parameter entities inside character data",
);
pub(super) const EMBEDDED_LIMIT: Charge = xxe(
    "xxe/embedded-limit",
    80,
    "more declarations in a text than are read",
);
pub(super) const XINCLUDE: Charge = xxe("xxe/xinclude", 100, "XInclude");
pub(super) const SCHEMA_INSIDE: Charge = xxe(
    "xxe/schema-location",
    100,
    "schema hint to a file or an internal host",
);
pub(super) const SCHEMA_ELSEWHERE: Charge =
    xxe("xxe/schema-location", 80, "schema hint to another host");
pub(super) const STYLESHEET_INSIDE: Charge = xxe(
    "xxe/stylesheet",
    100,
    "stylesheet from a file or an internal host",
);
pub(super) const STYLESHEET_ELSEWHERE: Charge =
    xxe("xxe/stylesheet", 80, "XSLT stylesheet from another host");
pub(super) const XSLT_EXTENSION: Charge = xxe(
    "xxe/xslt-extension",
    90,
    "XSLT that calls into a programming language",
);
pub(super) const XSLT_DOCUMENT: Charge =
    xxe("xxe/xslt-document", 90, "XSLT that reads another document");

/// An SVG image is opened by browsers as a page: what runs in it runs in the site's name.
pub(super) const SVG_SCRIPT: Charge = Charge {
    rule: "xss/svg-script",
    category: Category::Xss,
    score: 90,
    reason: "script in an SVG image",
};

pub(super) const DEPTH: Charge = bomb("xml-bomb/depth", "nested deeper than the limit");
pub(super) const ATTRIBUTES: Charge = bomb("xml-bomb/attributes", "more attributes than the limit");
pub(super) const NAMESPACES: Charge = bomb(
    "xml-bomb/namespaces",
    "more namespace declarations than the limit",
);
pub(super) const LONG_NAME: Charge = bomb("xml-bomb/long-name", "name longer than the limit");
pub(super) const LONG_DOCTYPE: Charge = bomb(
    "xml-bomb/long-doctype",
    "document type declaration longer than the limit",
);
pub(super) const ENTITY_COUNT: Charge = bomb(
    "xml-bomb/entity-count",
    "more entity declarations than the limit",
);
pub(super) const ENTITY_CYCLE: Charge =
    bomb("xml-bomb/entity-cycle", "entity that contains itself");
pub(super) const ENTITY_NESTING: Charge =
    bomb("xml-bomb/entity-nesting", "entities nested in entities");
pub(super) const ENTITY_GROWTH: Charge = bomb(
    "xml-bomb/entity-growth",
    "entities that grow the document beyond bounds",
);

pub(super) const NO_ROOT: Charge = malformed("xml-malformed/no-root", 100, "no root element");
pub(super) const OUTSIDE_ROOT: Charge = malformed(
    "xml-malformed/outside-root",
    100,
    "content outside of the root element",
);
pub(super) const SECOND_ROOT: Charge = malformed(
    "xml-malformed/second-root",
    80,
    "element after the root element",
);
pub(super) const MISMATCH: Charge =
    malformed("xml-malformed/mismatch", 80, "end tag of another element");
pub(super) const UNCLOSED: Charge =
    malformed("xml-malformed/unclosed", 80, "element without an end tag");
pub(super) const DUPLICATE_ATTRIBUTE: Charge = malformed(
    "xml-malformed/duplicate-attribute",
    80,
    "attribute repeated",
);
pub(super) const LATE_DOCTYPE: Charge = malformed(
    "xml-malformed/late-doctype",
    100,
    "document type declaration behind the beginning of the root element",
);
pub(super) const LATE_DECLARATION: Charge = malformed(
    "xml-malformed/late-declaration",
    // A blank line before it is the commonest slip of hand-made XML.
    50,
    "XML declaration that is not at the beginning",
);
pub(super) const ENTITY_UNKNOWN: Charge = malformed(
    "xml-malformed/entity",
    40,
    "reference to an entity that is not declared",
);
pub(super) const REFERENCE: Charge = malformed(
    "xml-malformed/reference",
    40,
    "ampersand that begins no reference",
);
pub(super) const CHARSET: Charge = malformed(
    "xml-malformed/charset",
    100,
    "written in a charset used to hide",
);
pub(super) const CHARSET_CONFLICT: Charge = malformed(
    "xml-malformed/charset-conflict",
    40,
    "declared in another charset than it is written in",
);

/// What a broken grammar is charged as.
pub(super) fn fault(fault: Fault) -> Charge {
    match fault {
        Fault::Less => malformed(
            "xml-malformed/less",
            80,
            "less-than sign that begins no markup",
        ),
        Fault::Declaration => {
            malformed("xml-malformed/declaration", 80, "declaration that is none")
        }
        Fault::Tag => malformed("xml-malformed/tag", 80, "tag that breaks the grammar"),
        Fault::Bare => malformed(
            "xml-malformed/bare-attribute",
            60,
            "attribute without a value",
        ),
        Fault::Unquoted => malformed(
            "xml-malformed/unquoted",
            60,
            "attribute value without quotes",
        ),
        Fault::LessInValue => malformed(
            "xml-malformed/less-in-value",
            60,
            "less-than sign in an attribute value",
        ),
        Fault::DoubleHyphen => malformed("xml-malformed/comment", 40, "two hyphens in a comment"),
        Fault::Unterminated => malformed("xml-malformed/unterminated", 80, "end inside markup"),
        Fault::Target => malformed(
            "xml-malformed/instruction",
            60,
            "processing instruction without a name",
        ),
    }
}

/// What a document type declaration is charged with.
pub(super) fn doctype(
    doctype: &Doctype<'_>,
    entities: &Entities,
    most_entities: u32,
    mut charge: impl FnMut(Charge),
) {
    if let Some(external) = doctype.external {
        match place::subset(external.public, external.system) {
            Reach::Harmless => {}
            Reach::Beside => charge(RELATIVE_SUBSET),
            Reach::Elsewhere if published::is_known(external.public, external.system) => {}
            Reach::Elsewhere | Reach::Inside => charge(EXTERNAL_SUBSET),
        }
    }
    let parameter = |entity: &super::doctype::Entity<'_>| entity.parameter;
    let external = |entity: &super::doctype::Entity<'_>| matches!(entity.value, Value::External(_));
    if doctype.parameter_use || doctype.entities.iter().any(parameter) {
        charge(PARAMETER_ENTITY);
    }
    if doctype.entities.iter().any(external) {
        charge(EXTERNAL_ENTITY);
    }
    if doctype
        .entities
        .iter()
        .any(|entity| entity.name.len() > NAME_BYTES)
    {
        charge(LONG_NAME);
    }
    if doctype.entity_count > usize::try_from(most_entities).unwrap_or(usize::MAX) {
        charge(ENTITY_COUNT);
    }
    let worst = entities.worst();
    if worst.cyclic {
        charge(ENTITY_CYCLE);
    } else if worst.depth > 1 {
        charge(ENTITY_NESTING);
    }
    if worst.bytes > GROWN_BYTES && worst.depth > 0 {
        charge(ENTITY_GROWTH);
    }
}

/// Bytes of an entity's name; references are read up to the same length.
const NAME_BYTES: usize = 4096;

/// Bytes that entities may add to a document, unless the document itself is not much smaller ([`GROWN_RATIO`]).
pub(super) const GROWN_BYTES: u64 = 64 * 1024;

/// How many times its own size a document may grow to: what text compressed by hand reaches.
pub(super) const GROWN_RATIO: u64 = 8;
