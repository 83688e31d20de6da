//! The one place where a fact becomes a decision. Pure and total.

use crate::anomaly::Anomaly;
use crate::inspect::Finding;
use crate::inspect::cut::Cut;
use crate::policy::Reason;
use crate::policy::facts::Facts;
use crate::policy::profile::{Action, FailMode, Mode, Profile};
use crate::policy::standing::Standing;

/// What one fact leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// The class is off, or an exception fits: the number of the exception in the profile.
    Excepted(usize),
    /// Not looked for.
    Ignored,
    /// Counted and logged.
    Observed,
    /// It is to be cut out of the document; where no edit reaches, the message must not pass, for this reason.
    Sanitized(Reason),
    /// The message must not pass.
    Enforced(Reason),
}

/// The profile narrowed to one message: exceptions that cannot fit it are out.
#[derive(Clone, Debug, Default)]
pub struct Judge {
    exceptions: Vec<usize>,
}

impl Judge {
    /// Narrows `profile` to a message.
    pub fn new(profile: &Profile, facts: &Facts) -> Self {
        let exceptions = profile
            .exceptions
            .iter()
            .enumerate()
            .filter(|(_, exception)| exception.fits_message(facts))
            .map(|(index, _)| index)
            .collect();
        Self { exceptions }
    }

    /// What a finding leads to: exceptions first, then the rule's own action, then its class's action and threshold; a rule
    /// that is held or on trial is observed.
    pub fn finding(&self, profile: &Profile, finding: &Finding, standing: Standing) -> Ruling {
        let fitting = self.exceptions.iter().copied().find(|index| {
            profile
                .exceptions
                .get(*index)
                .is_some_and(|exception| exception.fits_finding(finding))
        });
        if let Some(index) = fitting {
            return Ruling::Excepted(index);
        }
        let class = profile.classes.of(finding.category);
        let action = match profile.rules.get(&*finding.rule) {
            Some(action) => *action,
            None if finding.score < class.threshold || standing == Standing::OnTrial => {
                class.action.min(Action::Observe)
            }
            None => class.action,
        };
        let action = match standing {
            Standing::Enforced | Standing::OnTrial => action,
            Standing::Held => action.min(Action::Observe),
        };
        let reason = || Reason::Finding {
            rule: finding.rule.clone(),
            category: finding.category,
        };
        match (action, profile.mode) {
            (Action::Off, _) | (_, Mode::Off) => Ruling::Ignored,
            (Action::Observe, _) | (Action::Sanitize | Action::Block, Mode::Observe) => {
                Ruling::Observed
            }
            (Action::Sanitize, Mode::Enforce) if Cut::of(&finding.rule).is_some() => {
                Ruling::Sanitized(reason())
            }
            (Action::Sanitize | Action::Block, Mode::Enforce) => Ruling::Enforced(reason()),
        }
    }

    /// What an anomaly leads to.
    pub fn anomaly(&self, profile: &Profile, anomaly: Anomaly) -> Ruling {
        match (profile.fail_modes.of(anomaly), profile.mode) {
            (_, Mode::Off) => Ruling::Ignored,
            (FailMode::Open, _) | (FailMode::Closed, Mode::Observe) => Ruling::Observed,
            (FailMode::Closed, Mode::Enforce) => Ruling::Enforced(Reason::Anomaly(anomaly)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::{Category, Direction, PartId, Severity};
    use crate::policy::exception::{Exception, Scope, Subject};
    use crate::policy::profile::Class;
    use crate::span::Span;

    fn finding(score: u8) -> Finding {
        Finding {
            rule: "sqli/union".into(),
            category: Category::Sqli,
            severity: Severity::High,
            score,
            part: PartId::BODY,
            span: Span::new(0, 1),
            path: "$.q".into(),
            reason: "".into(),
        }
    }

    #[test]
    fn class_mode_threshold_rule_and_exception_decide_in_that_order() {
        let enforced = Ruling::Enforced(Reason::Finding {
            rule: "sqli/union".into(),
            category: Category::Sqli,
        });
        type Change = fn(&mut Profile);
        let table: &[(&str, u8, Change, Ruling)] = &[
            ("default", 60, |_| {}, enforced.clone()),
            ("below the threshold", 59, |_| {}, Ruling::Observed),
            (
                "observe mode",
                90,
                |profile| profile.mode = Mode::Observe,
                Ruling::Observed,
            ),
            (
                "class off",
                90,
                |profile| profile.classes.set_action(Category::Sqli, Action::Off),
                Ruling::Ignored,
            ),
            (
                "higher threshold",
                90,
                |profile| profile.classes.set_threshold(Category::Sqli, 95),
                Ruling::Observed,
            ),
            (
                "rule blocks where its class is off",
                10,
                |profile| {
                    profile.classes = Classes::all(Class {
                        action: Action::Off,
                        threshold: 0,
                    });
                    profile.rules.insert("sqli/union".into(), Action::Block);
                },
                enforced,
            ),
            (
                "exception wins",
                100,
                |profile| {
                    profile.exceptions.push(Exception::new(
                        Subject::Class(Category::Sqli),
                        Scope::default(),
                    ));
                },
                Ruling::Excepted(0),
            ),
        ];
        use crate::policy::profile::Classes;
        for (name, score, change, ruling) in table {
            let mut profile = Profile::built_in(Direction::Request);
            change(&mut profile);
            let judge = Judge::new(&profile, &Facts::default());
            assert_eq!(
                judge.finding(&profile, &finding(*score), Standing::Enforced),
                *ruling,
                "{name}"
            );
        }
    }

    #[test]
    fn a_rule_that_is_held_or_on_trial_is_observed_whatever_its_score() {
        let mut profile = Profile::built_in(Direction::Request);
        profile.classes.set_threshold(Category::Sqli, 0);
        let judge = Judge::new(&profile, &Facts::default());
        for standing in [Standing::OnTrial, Standing::Held] {
            for score in [0, 100] {
                let ruling = judge.finding(&profile, &finding(score), standing);
                assert_eq!(ruling, Ruling::Observed, "{standing:?}");
            }
        }
        profile.rules.insert("sqli/union".into(), Action::Block);
        let ruling = |standing| judge.finding(&profile, &finding(100), standing);
        assert!(matches!(ruling(Standing::OnTrial), Ruling::Enforced(_)));
        assert_eq!(ruling(Standing::Held), Ruling::Observed);
        profile.classes.set_action(Category::Sqli, Action::Off);
        profile.rules.clear();
        let ruling = judge.finding(&profile, &finding(100), Standing::Held);
        assert_eq!(ruling, Ruling::Ignored);
    }

    #[test]
    fn every_anomaly_is_judged() {
        let profile = Profile::built_in(Direction::Response);
        let judge = Judge::new(&profile, &Facts::default());
        for anomaly in Anomaly::ALL {
            let ruling = judge.anomaly(&profile, *anomaly);
            match profile.fail_modes.of(*anomaly) {
                FailMode::Open => assert_eq!(ruling, Ruling::Observed),
                FailMode::Closed => {
                    assert_eq!(ruling, Ruling::Enforced(Reason::Anomaly(*anomaly)));
                }
            }
        }
    }
}
