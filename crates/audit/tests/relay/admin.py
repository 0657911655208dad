"""Prepares a broker for a test.

Usage: admin.py bucket ENDPOINT NAME
       admin.py topic PROPERTIES NAME PARTITIONS
with the properties of librdkafka as a JSON object
"""

import json
import sys

TIMEOUT = 60


def bucket(endpoint, name):
    import boto3

    boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1").create_bucket(Bucket=name)


def topic(properties, name, partitions):
    from confluent_kafka.admin import AdminClient, NewTopic

    client = AdminClient(json.loads(properties))
    made = client.create_topics([NewTopic(name, num_partitions=int(partitions), replication_factor=1)])
    made[name].result(TIMEOUT)


{"bucket": bucket, "topic": topic}[sys.argv[1]](*sys.argv[2:])
