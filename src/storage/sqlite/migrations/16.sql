-- Version 16: the tokens of webhooks.

-- SHA-256 of the token that starts runs of the pipeline, and of that in its latest save by code.
ALTER TABLE pipelines ADD COLUMN webhook_token BLOB;
ALTER TABLE pipelines ADD COLUMN webhook_token_by_code BLOB;
