"""Reads a topic to its end with the Python client and prints one JSON line for each message.

Usage: consume.py PROPERTIES TOPIC, with the properties of librdkafka as a JSON object
"""

import json
import sys

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

properties, topic = json.loads(sys.argv[1]), sys.argv[2]
consumer = Consumer(properties | {"group.id": "python", "enable.partition.eof": True})
partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
ended = 0
while ended < len(partitions):
    message = consumer.poll(300)
    if message is None:
        sys.exit("no message and no end within 300 seconds")
    if message.error():
        if message.error().code() != KafkaError._PARTITION_EOF:
            sys.exit(str(message.error()))
        ended += 1
        continue
    headers = {name: value.decode() for name, value in message.headers()}
    document = json.loads(message.value())
    print(json.dumps({"key": message.key().decode(), "headers": headers, "document": document}))
consumer.close()
