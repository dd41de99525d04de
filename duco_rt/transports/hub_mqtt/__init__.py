"""Any MQTT 5 broker as hub: `hub.MqttHub`, `device.MqttHubDevice` and what they are made of."""
