"""Service: uploads, executions and downloads, with the limits and notifications of their tenants."""
