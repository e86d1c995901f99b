"""What a vendor compiles in."""

PRODUCT = "com.example.bridge"
SERVER = "https://license.example.com"
# What `seatlock-server init` prints.
ROOT_KEY = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
TERMS = "2026-01"
TERMS_URL = "https://example.com/terms"
VERSION = "1.0.0"
