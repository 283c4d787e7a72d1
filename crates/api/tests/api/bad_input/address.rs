//! What is wrong in a path or a query.

use switchboard_api::URI_LIMIT;

use super::Trial;

impl Trial<'_> {
    pub(super) async fn paths(&mut self) {
        let long = "x".repeat(1000);
        for part in self.operation.parts.clone() {
            let mut texts = vec!["%zz", "%", "%ff", "%00", long.as_str()];
            if part != "name" && part != "key" {
                texts.extend([
                    "x",
                    "conv_01ARZ3NDEKTSV4RRFFQ69G5FAV",
                    "user_01ARZ3NDEKTSV4RRFFQ69G5FAV",
                    "msg_01ARZ3NDEKTSV4RRFFQ69G5FAV",
                    "conv_01arz3ndektsv4rrffq69g5fav",
                    "%F0%9F%99%82",
                ]);
            }
            for text in texts {
                let path = self.operation.path_with(self.known, &part, text);
                let body = self.body();
                self.send(&format!("{part} is {text:.40}"), &path, body)
                    .await;
            }
        }
        let long = format!("{}?{}", self.path, "x".repeat(URI_LIMIT));
        let body = self.body();
        let (status, ..) = self.send("a long query", &long, body).await;
        assert_eq!(status, 414);
    }

    pub(super) async fn queries(&mut self, foreign: &[String]) {
        let path = self.path.clone();
        if self.operation.parameters.is_empty() {
            return;
        }
        for query in ["a=%zz", "%=1", "a=%ff", "%ff"] {
            let (_, kind, _) = self.send(query, &format!("{path}?{query}"), "").await;
            assert_eq!(kind, "InvalidQuery");
        }
        for (name, many) in self.operation.parameters.clone() {
            let mut queries = vec![];
            if name == "tags" {
                queries.extend(["tags.a=1&tags.a=2".to_owned(), "tags.=1".to_owned()]);
                queries.push(format!("tags.a={}", "x".repeat(501)));
                queries.push(format!("tags.{}=x", "a".repeat(201)));
                queries.push("tags.a=%00".to_owned());
                let all: Vec<_> = (0..101).map(|n| format!("tags.{n}=x")).collect();
                queries.push(all.join("&"));
            } else {
                let sign = if many { "%00" } else { "x" };
                queries.push(format!("{name}={sign}&{name}={sign}"));
                queries.push(format!("{name}=%00"));
                if name != "nextToken" {
                    queries.push(format!("{name}="));
                    queries.push(name.clone());
                }
            }
            if name == "nextToken" {
                queries.extend(foreign.iter().map(|token| format!("nextToken={token}")));
                queries.extend([
                    "nextToken=!".to_owned(),
                    format!("nextToken={}", "A".repeat(9000)),
                ]);
            }
            for query in queries {
                // What else must be there, so that this alone is wrong.
                let needed = if path.contains("/tags/") && name != "type" {
                    "&type=user"
                } else {
                    ""
                };
                let path = format!("{path}?{query}{needed}");
                let (_, kind, message) = self.send(&format!("{query:.60}"), &path, "").await;
                let name_of_it = name.trim_end_matches('s');
                assert!(message.contains(name_of_it), "{query:.60}: {message}");
                assert_eq!(kind, "InvalidQuery", "{query:.60}: {message}");
            }
        }
    }
}
