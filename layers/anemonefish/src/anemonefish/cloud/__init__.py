"""The AWS services that anemonefish calls, one module for each; every boto3 client is made in :mod:`.cloud.clients`."""
