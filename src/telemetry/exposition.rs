//! The text formats of `/metrics`: OpenMetrics for scrapers that ask for it, and the older Prometheus text for all else
//! (`promtool check metrics`, curl), in which a counter's head names its samples and there is no type `info`.

/// The Prometheus text format 0.0.4 of an OpenMetrics text.
pub fn classic(openmetrics: &str) -> String {
    let mut text = String::with_capacity(openmetrics.len());
    let mut help = None;
    for line in openmetrics.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').map(|(_, help)| help);
        } else if let Some((name, kind)) = line
            .strip_prefix("# TYPE ")
            .and_then(|rest| rest.split_once(' '))
        {
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                other => ("", other),
            };
            if let Some(help) = help.take() {
                text.extend(["# HELP ", name, suffix, " ", help, "\n"]);
            }
            text.extend(["# TYPE ", name, suffix, " ", kind, "\n"]);
        } else if !line.starts_with('#') {
            text.extend([line, "\n"]);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_name_their_samples() {
        let text = "# HELP a_b What.\n# TYPE a_b counter\na_b_total{x=\"1\"} 2\n# HELP c D e.\n# TYPE c info\nc_info{v=\"1\"} 1\n\
                    # HELP h Time.\n# TYPE h histogram\n# UNIT h seconds\nh_sum 0.0\n# EOF\n";
        assert_eq!(
            classic(text),
            "# HELP a_b_total What.\n# TYPE a_b_total counter\na_b_total{x=\"1\"} 2\n# HELP c_info D e.\n# TYPE c_info gauge\n\
             c_info{v=\"1\"} 1\n# HELP h Time.\n# TYPE h histogram\nh_sum 0.0\n"
        );
    }
}
