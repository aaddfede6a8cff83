#!/usr/bin/env python3
"""Hands a delivery notice to Duly. A mail server pipes each mail to the address of notices into it, for example by
`notices: "|/usr/local/bin/hand_in_notice.py"` in the aliases. Exit 75 tells the server to try again."""

import hashlib
import hmac
import sys
import urllib.error
import urllib.request

URL = "https://receipts.example/receipts/northmere/mail"  # the lane's address of receipts
SECRET_FILE = "/run/secrets/mail-notices"  # the lane's receipt_secret
TRY_AGAIN = 75


def main():
    notice = sys.stdin.buffer.read()
    with open(SECRET_FILE, "rb") as file:
        secret = file.read().strip()
    signature = hmac.new(secret, notice, hashlib.sha256).hexdigest()
    request = urllib.request.Request(URL, data=notice, headers={"X-Duly-Signature": signature})
    try:
        with urllib.request.urlopen(request, timeout=20):
            return 0
    except urllib.error.HTTPError as error:
        # 400: it is no notice of ours, such as a note of absence.
        return 0 if error.code == 400 else TRY_AGAIN
    except OSError:
        return TRY_AGAIN


sys.exit(main())
