"""The shapes of requests and answers, one module for each group of routes; the OpenAPI document is made of them."""
