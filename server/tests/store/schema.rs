//! Both databases have the same tables, columns, constraints and indexes.

use std::{fs, path::PathBuf};

fn folder(database: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("migrations").join(database)
}

fn steps(database: &str) -> Vec<String> {
    let files = fs::read_dir(folder(database)).unwrap();
    let mut names: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Statements that make tables and indexes, or fill them, in the words of SQLite and without
/// comments. What keeps the audit trail is left out: triggers are another language in each.
fn statements(database: &str, file: &str) -> Vec<String> {
    let text = fs::read_to_string(folder(database).join(file)).unwrap();
    let lines = text.lines().map(|line| line.split("--").next().unwrap());
    let text = lines.collect::<Vec<_>>().join("\n");
    let own = |statement: &String| {
        let (what, head) =
            (statement.split(' ').take(2).collect::<Vec<_>>(), statement.contains("audit_head"));
        let shared = [["CREATE", "TABLE"], ["CREATE", "INDEX"], ["CREATE", "UNIQUE"], ["INSERT", "INTO"]];
        let shared = shared.iter().any(|shared| what == shared) || statement.starts_with("ALTER");
        shared && !head
    };
    text.split(";\n").map(|statement| in_sqlite(statement.trim())).filter(own).collect()
}

fn in_sqlite(statement: &str) -> String {
    let mut words = String::new();
    for line in statement.lines().map(str::trim).filter(|line| !line.starts_with("rowid BIGINT GENERATED")) {
        let column = line.split(' ').next().unwrap();
        let truth = format!("INTEGER$1 CHECK ({column} IN (0, 1))");
        let line = match line.split_once("BOOLEAN") {
            Some((name, rest)) => {
                let (with, end) = (rest.trim_end_matches(','), if rest.ends_with(',') { "," } else { "" });
                format!("{name}{}{end}", truth.replace("$1", with))
            }
            None => line.to_owned(),
        };
        words += &line;
        words.push(' ');
    }
    for (postgres, sqlite) in [
        ("BIGINT", "INTEGER"),
        ("BYTEA", "BLOB"),
        (" COLLATE \"C\"", ""),
        (" WITH (fillfactor = 70)", ""),
        (" STRICT, WITHOUT ROWID", ""),
        (" STRICT", ""),
    ] {
        words = words.replace(postgres, sqlite);
    }
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn both_databases_have_the_same_tables() {
    assert_eq!(steps("sqlite"), steps("postgres"));
    for step in steps("sqlite") {
        let (sqlite, postgres) = (statements("sqlite", &step), statements("postgres", &step));
        for (sqlite, postgres) in sqlite.iter().zip(&postgres) {
            assert_eq!(sqlite, postgres, "{step}");
        }
        assert_eq!(sqlite.len(), postgres.len(), "{step}");
        assert!(sqlite.len() > 30 || step != "0001_baseline.sql", "{sqlite:#?}");
    }
}
