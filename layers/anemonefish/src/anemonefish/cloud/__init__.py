"""The services of an account that the API needs: a table, a workflow, links to objects, messages.

Each module is one service behind a small class that speaks our words. boto3 stays here and in
:mod:`anemonefish.stores.s3`; nothing here decides anything.
"""
