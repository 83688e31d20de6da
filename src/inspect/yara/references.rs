//! What a rule's condition refers to: other rules, modules, places of matches.

use boreal_parser::expression::{
    Expression, ExpressionKind as Kind, ForIterator, ForSelection, IdentifierOperationType,
};

/// What a condition names.
#[derive(Default)]
pub(super) struct References {
    /// Rules, external variables and what is bound nowhere.
    pub(super) names: Vec<String>,
    /// Beginnings of rules' names, from sets with a star.
    pub(super) prefixes: Vec<String>,
    pub(super) modules: Vec<String>,
    /// Counts, offsets or ranges of matches.
    pub(super) positions: bool,
}

impl References {
    /// Adds what `expression` names, but for identifiers that are `bound` around it. The depth of the tree is bounded by the
    /// parser.
    pub(super) fn walk(&mut self, expression: &Expression, bound: &mut Vec<String>) {
        match &expression.expr {
            Kind::Identifier(identifier) => self.identifier(identifier, bound),
            Kind::Count(_)
            | Kind::CountInRange { .. }
            | Kind::VariableIn { .. }
            | Kind::ForIn { .. } => {
                self.positions = true;
            }
            Kind::Offset {
                occurence_number, ..
            }
            | Kind::Length {
                occurence_number, ..
            } => {
                self.positions |= !matches!(occurence_number.expr, Kind::Integer(1));
            }
            Kind::VariableAt { offset, .. } | Kind::ForAt { offset, .. } => {
                self.positions |= !matches!(offset.expr, Kind::Integer(0));
            }
            Kind::ForRules { set, .. } => {
                for element in &set.elements {
                    let list = if element.is_wildcard {
                        &mut self.prefixes
                    } else {
                        &mut self.names
                    };
                    list.push(element.name.clone());
                }
            }
            _ => {}
        }
        let depth = bound.len();
        if let Kind::ForIdentifiers {
            identifiers,
            iterator,
            ..
        } = &expression.expr
        {
            if let ForIterator::Identifier(identifier) = iterator {
                self.identifier(identifier, bound);
            }
            bound.extend_from_slice(identifiers);
        }
        for child in children(&expression.expr) {
            self.walk(child, bound);
        }
        bound.truncate(depth);
    }

    fn identifier(
        &mut self,
        identifier: &boreal_parser::expression::Identifier,
        bound: &mut Vec<String>,
    ) {
        for operation in &identifier.operations {
            match &operation.op {
                IdentifierOperationType::Subscript(inner) => self.walk(inner, bound),
                IdentifierOperationType::FunctionCall(arguments) => {
                    for argument in arguments {
                        self.walk(argument, bound);
                    }
                }
                IdentifierOperationType::Subfield(_) => {}
            }
        }
        if bound.contains(&identifier.name) {
            return;
        }
        let list = if identifier.operations.is_empty() {
            &mut self.names
        } else {
            &mut self.modules
        };
        if !list.contains(&identifier.name) {
            list.push(identifier.name.clone());
        }
    }
}

/// The expressions directly inside one.
fn children(kind: &Kind) -> Vec<&Expression> {
    match kind {
        Kind::And(list) | Kind::Or(list) => list.iter().collect(),
        Kind::ReadInteger { addr: one, .. }
        | Kind::Neg(one)
        | Kind::BitwiseNot(one)
        | Kind::Not(one)
        | Kind::Matches(one, _)
        | Kind::Defined(one)
        | Kind::VariableAt { offset: one, .. }
        | Kind::Offset {
            occurence_number: one,
            ..
        }
        | Kind::Length {
            occurence_number: one,
            ..
        } => vec![one],
        Kind::Add(a, b)
        | Kind::Sub(a, b)
        | Kind::Mul(a, b)
        | Kind::Div(a, b)
        | Kind::Mod(a, b)
        | Kind::BitwiseXor(a, b)
        | Kind::BitwiseAnd(a, b)
        | Kind::BitwiseOr(a, b)
        | Kind::ShiftLeft(a, b)
        | Kind::ShiftRight(a, b)
        | Kind::Eq(a, b)
        | Kind::NotEq(a, b)
        | Kind::IEquals(a, b)
        | Kind::Cmp {
            left: a, right: b, ..
        }
        | Kind::Contains {
            haystack: a,
            needle: b,
            ..
        }
        | Kind::StartsWith {
            expr: a, prefix: b, ..
        }
        | Kind::EndsWith {
            expr: a, suffix: b, ..
        }
        | Kind::CountInRange { from: a, to: b, .. }
        | Kind::VariableIn { from: a, to: b, .. } => vec![a, b],
        Kind::For {
            selection, body, ..
        } => selector(selection)
            .into_iter()
            .chain(body.as_deref())
            .collect(),
        Kind::ForIn {
            selection,
            from,
            to,
            ..
        } => selector(selection)
            .into_iter()
            .chain([&**from, &**to])
            .collect(),
        Kind::ForAt {
            selection, offset, ..
        } => selector(selection).into_iter().chain([&**offset]).collect(),
        Kind::ForRules { selection, .. } => selector(selection).into_iter().collect(),
        Kind::ForIdentifiers {
            selection,
            iterator,
            body,
            ..
        } => {
            let values: Vec<&Expression> = match iterator {
                ForIterator::Identifier(_) => Vec::new(),
                ForIterator::Range { from, to } => vec![from, to],
                ForIterator::List(list) => list.iter().collect(),
            };
            selector(selection)
                .into_iter()
                .chain(values)
                .chain([&**body])
                .collect()
        }
        Kind::Filesize
        | Kind::Entrypoint
        | Kind::Integer(_)
        | Kind::Double(_)
        | Kind::Count(_)
        | Kind::Boolean(_)
        | Kind::Variable(_)
        | Kind::Identifier(_)
        | Kind::Bytes(_)
        | Kind::Regex(_) => Vec::new(),
    }
}

fn selector(selection: &ForSelection) -> Option<&Expression> {
    match selection {
        ForSelection::Any | ForSelection::All | ForSelection::None => None,
        ForSelection::Expr { expr, .. } => Some(expr),
    }
}
