//! Variables that look like settings and are none: most are mistyped, and would be missed in
//! silence. Only names are looked at, never what is in them.

use switchboard_model::near::nearest;

/// What the names of settings begin with.
const PREFIX: &str = "SWITCHBOARD_";
/// What orchestrators set by themselves beside a service that is called switchboard.
const OF_OTHERS: [&str; 2] = ["SWITCHBOARD_PORT", "SWITCHBOARD_SERVICE_"];
/// How many letters may be wrong in a name that is meant all the same.
const NEAR: usize = 3;

/// A variable that is no setting.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unknown<'a> {
    pub(crate) name: String,
    /// The setting that may be meant.
    pub(crate) nearest: Option<&'a str>,
}

/// Those among the names of variables that no setting has.
pub(crate) fn unknown<'a>(
    names: impl IntoIterator<Item = String>,
    known: &[&'a str],
) -> Vec<Unknown<'a>> {
    let is_unknown = |name: &String| {
        name.starts_with(PREFIX)
            && !OF_OTHERS.iter().any(|other| name.starts_with(other))
            && !known.contains(&name.as_str())
    };
    let mut found: Vec<_> = names
        .into_iter()
        .filter(is_unknown)
        .map(|name| Unknown {
            nearest: nearest(&name, known.iter().copied(), NEAR),
            name,
        })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 3] = [
        "SWITCHBOARD_TOKEN",
        "SWITCHBOARD_LOG",
        "SWITCHBOARD_BOT_URL",
    ];

    #[test]
    fn a_mistyped_name_is_found_with_the_one_that_is_meant() {
        let names = [
            "SWITCHBOARD_TOKN",
            "SWITCHBOARD_BOTURL",
            "SWITCHBOARD_COLOUR_OF_THE_SKY",
            "SWITCHBOARD_TOKEN",
            "SWITCHBOARD_PORT_4000_TCP",
            "SWITCHBOARD_SERVICE_HOST",
            "PATH",
        ];
        let found = unknown(names.map(str::to_owned), &KNOWN);
        let found: Vec<_> = found
            .iter()
            .map(|unknown| (unknown.name.as_str(), unknown.nearest))
            .collect();
        assert_eq!(
            found,
            [
                ("SWITCHBOARD_BOTURL", Some("SWITCHBOARD_BOT_URL")),
                ("SWITCHBOARD_COLOUR_OF_THE_SKY", None),
                ("SWITCHBOARD_TOKN", Some("SWITCHBOARD_TOKEN")),
            ]
        );
    }
}
