//! Tests of the tables found in SQL.

use super::*;

fn sorted(names: &BTreeSet<String>) -> String {
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    names.join(" ")
}

#[track_caller]
fn check(text: &str, read: &str, written: &str) {
    match tables(text) {
        Ok(found) => assert_eq!(
            (sorted(&found.read), sorted(&found.written)),
            (read.to_owned(), written.to_owned()),
            "{text}"
        ),
        Err(UnreadableSql) => panic!("cannot be read: {text}"),
    }
}

#[test]
fn what_is_selected_from_is_read() {
    for (text, read) in [
        ("SELECT 1", ""),
        ("", ""),
        ("SELECT * FROM orders", "orders"),
        (
            "select * from Orders o, PUBLIC.Users;",
            "orders public.users",
        ),
        (
            "SELECT * FROM a JOIN b USING (id) LEFT JOIN c.d ON true",
            "a b c.d",
        ),
        (
            "SELECT * FROM \"Orders\" JOIN \"My Schema\".\"T\" ON true",
            "My Schema.T Orders",
        ),
        ("SELECT * FROM `shop`.`orders`", "shop.orders"),
        ("SELECT * FROM [dbo].[Orders] WITH (NOLOCK)", "dbo.Orders"),
        ("SELECT * FROM `project.data.orders`", "project.data.orders"),
        ("SELECT * FROM db.s.t", "db.s.t"),
        (
            "SELECT * FROM a UNION ALL SELECT * FROM b EXCEPT SELECT * FROM c",
            "a b c",
        ),
        (
            "SELECT (SELECT max(x) FROM a) FROM b WHERE id IN (SELECT id FROM c)",
            "a b c",
        ),
        ("SELECT * FROM (SELECT * FROM a) AS b", "a"),
        (
            "SELECT * FROM a, LATERAL (SELECT * FROM b WHERE b.id = a.id) x",
            "a b",
        ),
        ("SELECT 'FROM secrets' FROM a -- FROM b\n/* FROM c */", "a"),
        ("SELECT a.b FROM c", "c"),
        ("SELECT * FROM generate_series(1, 10) g, orders", "orders"),
        ("SELECT extract(year FROM created) FROM orders", "orders"),
        ("EXPLAIN SELECT * FROM orders", "orders"),
        ("SELECT * FROM a; SELECT * FROM b", "a b"),
    ] {
        check(text, read, "");
    }
}

#[test]
fn what_is_changed_is_written() {
    for (text, read, written) in [
        ("INSERT INTO t VALUES (1)", "", "t"),
        ("INSERT INTO s.t (a) SELECT a FROM u", "u", "s.t"),
        ("INSERT INTO t SELECT * FROM t", "t", "t"),
        ("INSERT OVERWRITE TABLE t SELECT * FROM u", "u", "t"),
        ("REPLACE INTO t SELECT * FROM u", "u", "t"),
        ("CREATE TABLE t AS SELECT * FROM u", "u", "t"),
        ("CREATE OR REPLACE TABLE t AS (SELECT * FROM u)", "u", "t"),
        ("CREATE TABLE t (id int)", "", "t"),
        ("CREATE VIEW v AS SELECT * FROM u", "u", "v"),
        ("CREATE MATERIALIZED VIEW v AS SELECT * FROM u", "u", "v"),
        ("SELECT * INTO t FROM u", "u", "t"),
        ("UPDATE t SET a = 1", "", "t"),
        ("UPDATE t SET a = u.a FROM u WHERE u.id = t.id", "u", "t"),
        (
            "UPDATE o SET a = 1 FROM orders o JOIN u ON u.id = o.id",
            "u",
            "orders",
        ),
        ("UPDATE t SET a = (SELECT max(a) FROM u)", "u", "t"),
        ("DELETE FROM t WHERE id IN (SELECT id FROM u)", "u", "t"),
        ("DELETE FROM t USING u WHERE u.id = t.id", "u", "t"),
        (
            "DELETE o FROM orders o JOIN u ON u.id = o.id",
            "u",
            "orders",
        ),
        (
            "MERGE INTO t USING u ON t.id = u.id WHEN MATCHED THEN DELETE",
            "u",
            "t",
        ),
        (
            "MERGE INTO t USING (SELECT * FROM u) x ON t.id = x.id WHEN NOT MATCHED THEN INSERT (id) VALUES (x.id)",
            "u",
            "t",
        ),
        ("TRUNCATE TABLE t", "", "t"),
        ("COPY t FROM STDIN WITH (FORMAT csv)", "", "t"),
        ("COPY t (a, b) FROM '/tmp/x.csv'", "", "t"),
        ("COPY t TO STDOUT", "t", ""),
        ("COPY (SELECT * FROM t) TO STDOUT", "t", ""),
        ("DROP TABLE t", "", ""),
        ("ALTER TABLE t ADD COLUMN a int", "", ""),
        ("CREATE INDEX i ON t (a)", "", ""),
        ("BEGIN; INSERT INTO t SELECT 1 FROM u; COMMIT", "u", "t"),
    ] {
        check(text, read, written);
    }
}

#[test]
fn a_visible_common_table_expression_is_not_a_table() {
    for (text, read, written) in [
        ("WITH x AS (SELECT * FROM a) SELECT * FROM x", "a", ""),
        (
            "WITH x AS (SELECT * FROM a), y AS (SELECT * FROM x) SELECT * FROM X, y, b",
            "a b",
            "",
        ),
        (
            "WITH orders AS (SELECT * FROM orders) SELECT * FROM orders",
            "orders",
            "",
        ),
        (
            "WITH y AS (SELECT * FROM x), x AS (SELECT 1) SELECT * FROM x, y",
            "x",
            "",
        ),
        (
            "WITH RECURSIVE x AS (SELECT * FROM a UNION ALL SELECT * FROM x) SELECT * FROM x",
            "a",
            "",
        ),
        (
            "SELECT * FROM (WITH x AS (SELECT 1) SELECT * FROM x) q, x",
            "x",
            "",
        ),
        ("WITH x AS (SELECT 1) SELECT * FROM s.x", "s.x", ""),
        (
            "WITH x AS (SELECT * FROM a) SELECT * FROM b WHERE id IN (SELECT id FROM x)",
            "a b",
            "",
        ),
        (
            "WITH x AS (SELECT * FROM a) INSERT INTO t SELECT * FROM x",
            "a",
            "t",
        ),
        (
            "INSERT INTO t WITH x AS (SELECT * FROM a) SELECT * FROM x",
            "a",
            "t",
        ),
        (
            "WITH x AS (SELECT * FROM a) UPDATE t SET a = x.a FROM x",
            "a",
            "t",
        ),
        (
            "WITH x AS (DELETE FROM a RETURNING *) INSERT INTO t SELECT * FROM x",
            "",
            "a t",
        ),
        (
            "WITH x AS (SELECT 1) SELECT * FROM x; SELECT * FROM x",
            "x",
            "",
        ),
    ] {
        check(text, read, written);
    }
}

#[test]
fn templates_parse_and_name_no_table() {
    for (text, read) in [
        ("SELECT * FROM orders WHERE day = '${run.date}'", "orders"),
        (
            "SELECT * FROM orders WHERE id > ${param.id} LIMIT ${param.n}",
            "orders",
        ),
        (
            "SELECT ${param.columns} FROM ${param.table} JOIN a ON true",
            "a",
        ),
        ("SELECT * FROM orders_${param.year}, b", "b"),
        ("SELECT * FROM s.${var.TABLE}, b", "b"),
        ("SELECT '$${x}' FROM a", "a"),
        ("SELECT * FROM a TABLESAMPLE BERNOULLI (${param.p})", "a"),
        ("SELECT '${open' FROM a", "a"),
    ] {
        check(text, read, "");
    }
    check("INSERT INTO ${param.t} SELECT * FROM a", "a", "");
}

#[test]
fn what_is_no_sql_names_no_table() {
    for text in [
        "SELECT a FROM (",
        "{ users { name } }",
        "q=rust&page=1",
        "'",
    ] {
        assert_eq!(tables(text), Err(UnreadableSql), "{text}");
    }
    let long = format!("SELECT '{}' FROM a", "x".repeat(BYTES_MAX));
    assert_eq!(tables(&long), Err(UnreadableSql));
}

#[test]
fn the_deepest_allowed_tree_fits_into_the_stack() {
    let deep = std::thread::Builder::new().stack_size(STACK).spawn(|| {
        let terms = (TOKENS_MAX - 10) / 4;
        check(&format!("SELECT 1{} FROM a", " + 1".repeat(terms)), "a", "");
        let unions = (TOKENS_MAX - 10) / 8;
        check(
            &format!("SELECT 1 FROM a{}", " UNION SELECT 1".repeat(unions)),
            "a",
            "",
        );
        let more = format!("SELECT 1{} FROM a", " + 1".repeat(TOKENS_MAX));
        assert_eq!(tables(&more), Err(UnreadableSql));
        let nested = format!("SELECT {}1{}", "(".repeat(9_000), ")".repeat(9_000));
        assert_eq!(tables(&nested), Err(UnreadableSql));
    });
    deep.unwrap().join().unwrap();
}
