"""Azure IoT Hub as hub: `hub.IotHub` and what it is made of."""
