"""The fields that the App itself makes (`client_raw_data`): name, unit, range, meaning. Needs no parsing."""

from __future__ import annotations

from duco_rt.pipeline.decoding.fields import Field

CLIENT_FIELDS: tuple[Field, ...] = (
    Field("app_cpu_percent", "%", 0, None, None, "Processor time of the App's process, of one core"),
    Field("app_memory_mb", "MB", 0, None, None, "Resident memory of the App's process"),
    Field("bus_load_percent", "%", 0, 100, None, "Load of the busiest CAN bus, bit stuffing left out"),
    Field("can_frames_per_s", "1/s", 0, None, None, "CAN frames received in the second, all buses"),
    Field("can_ids", None, 0, None, None, "Different CAN streams (channel, id, length) in the second"),
    Field("cpu_percent", "%", 0, 100, None, "Processor load of the computer"),
    Field("disk_percent", "%", 0, 100, None, "Used part of the disk that holds the App's data"),
    Field(
        "dropped_messages",
        None,
        0,
        None,
        None,
        "Messages given up since the App started: its outbox was full",
    ),
    Field("gps_lat", "deg", -90, 90, None, "Latitude, WGS 84"),
    Field("gps_lng", "deg", -180, 180, None, "Longitude, WGS 84"),
    Field("load_1min", None, 0, None, None, "Load average of the computer over a minute"),
    Field("memory_percent", "%", 0, 100, None, "Used memory of the computer"),
    Field("queue_messages", None, 0, None, None, "Messages that the hub has not acknowledged"),
    Field("realtime", None, 0, 1, {"0": "batches", "1": "real time"}, "Whether real-time upload is on"),
    Field("realtime_remaining_s", "s", 0, None, None, "How long real-time upload lasts without another command"),
    Field("second_late_ms", "ms", 0, None, None, "How late the App closed the second"),
    Field("sent_messages", None, 0, None, None, "Messages that the hub has acknowledged since the App started"),
    Field("timestamp", "ms", 0, None, None, "The device's clock, Unix time"),
    Field(
        "upload_latency_ms",
        "ms",
        0,
        None,
        None,
        "From sending the last acknowledged message to its acknowledgement",
    ),
    Field("uptime_s", "s", 0, None, None, "Time since the computer started"),
)
