-- Version 20: the audit.

-- A command that took effect, or that a rule has refused.
CREATE TABLE audit (
    key INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    action TEXT NOT NULL,
    -- The kind and the id, such as pipeline:orders.
    subject TEXT NOT NULL,
    caller TEXT,
    reason TEXT,
    -- The slug of the problem, if the command was refused.
    problem TEXT,
    tenant TEXT
) STRICT;
-- An index for each filter, within a tenant and without: its entries are in the order of lists.
CREATE INDEX audit_by_time ON audit (at);
CREATE INDEX audit_of_action ON audit (action, at);
CREATE INDEX audit_of_caller ON audit (caller, at);
CREATE INDEX audit_of_subject ON audit (subject, at);
CREATE INDEX audit_of_tenant ON audit (tenant, at);
CREATE INDEX audit_of_tenant_action ON audit (tenant, action, at);
CREATE INDEX audit_of_tenant_caller ON audit (tenant, caller, at);
CREATE INDEX audit_of_tenant_subject ON audit (tenant, subject, at);
