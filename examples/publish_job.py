#!/usr/bin/env python3
"""Publishes people to Duly as sealed jobs, one each (docs/duly.job.v1.schema.json).

    pip install pika pynacl
    AMQP_URL=amqp://… ./publish_job.py CONTROLLER INCIDENT "$(duly job key --incident INCIDENT)" < people.jsonl

Each line of standard input is one {"job_id": …, "person": {…}}; the person may have "columns" of your own that your
templates print, such as {"pay_number_type": "old"}. The same job_id again changes nothing, so whatever
fails is simply published again.
"""
import base64
import json
import os
import sys

import pika
from nacl.public import PublicKey, SealedBox

controller, incident, key = sys.argv[1:]
box = SealedBox(PublicKey(bytes.fromhex(key)))
connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
channel = connection.channel()
channel.confirm_delivery()  # basic_publish now raises unless the broker has the job safe
properties = pika.BasicProperties(content_type="application/json", delivery_mode=pika.DeliveryMode.Persistent)
published = 0
for line in sys.stdin:
    job = json.loads(line)
    sealed = box.encrypt(json.dumps({"job_id": job["job_id"], "person": job["person"]}).encode())
    envelope = {
        "format": "duly.job.v1",
        "controller": controller,
        "incident": incident,
        "sealed": base64.b64encode(sealed).decode(),
    }
    channel.basic_publish("", "duly.intake", json.dumps(envelope).encode(), properties, mandatory=True)
    published += 1
connection.close()
print(f"{published} jobs published")
