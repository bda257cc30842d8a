"""Reads a topic from its start with the client of Confluent, which decodes each value by the
schema that a registry has under the value's id, and writes each as a line of JSON.

    registry_reader.py BROKERS TOPIC REGISTRY avro|json_schema
"""

import json
import sys

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

brokers, topic, registry, form = sys.argv[1:]
client = SchemaRegistryClient({"url": registry})
decode = AvroDeserializer(client) if form == "avro" else JSONDeserializer(None, schema_registry_client=client)
consumer = Consumer({"bootstrap.servers": brokers, "group.id": topic, "enable.partition.eof": True})
left = set(consumer.list_topics(topic).topics[topic].partitions)
consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in left])
while left:
    message = consumer.poll(60)
    if message is None:
        sys.exit("no message for a minute")
    if message.error():
        if message.error().code() != KafkaError._PARTITION_EOF:
            sys.exit(str(message.error()))
        left.discard(message.partition())
        continue
    if message.headers():
        sys.exit(f"headers: {message.headers()}")
    value = decode(message.value(), SerializationContext(topic, MessageField.VALUE))
    if value["partitionkey"] != message.key().decode():
        sys.exit(f"key: {message.key()}")
    print(json.dumps(value, default=lambda time: time.isoformat()))
consumer.close()
