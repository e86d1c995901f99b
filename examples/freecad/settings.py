"""What a vendor compiles in."""

PRODUCT = "com.example.bridge"
SERVER = "https://license.example.com"
# Its public key, as `seatlock-server init` prints it.
ROOT_KEY = ""
