"""Which part of the standard a message belongs to, and who sends it: (from the station, to the station)."""

Block = tuple[tuple[str, ...], tuple[str, ...]]

# OCPP 1.6 §4 and §5 by feature profile (§3.1); the last one is the security whitepaper (edition 3).
BLOCKS_16: dict[str, Block] = {
    "Core": (
        (
            "Authorize",
            "BootNotification",
            "DataTransfer",
            "Heartbeat",
            "MeterValues",
            "StartTransaction",
            "StatusNotification",
            "StopTransaction",
        ),
        (
            "ChangeAvailability",
            "ChangeConfiguration",
            "ClearCache",
            "DataTransfer",
            "GetConfiguration",
            "RemoteStartTransaction",
            "RemoteStopTransaction",
            "Reset",
            "UnlockConnector",
        ),
    ),
    "Firmware Management": (
        ("DiagnosticsStatusNotification", "FirmwareStatusNotification"),
        ("GetDiagnostics", "UpdateFirmware"),
    ),
    "Local Auth List Management": ((), ("GetLocalListVersion", "SendLocalList")),
    "Reservation": ((), ("CancelReservation", "ReserveNow")),
    "Smart Charging": ((), ("ClearChargingProfile", "GetCompositeSchedule", "SetChargingProfile")),
    "Remote Trigger": ((), ("TriggerMessage",)),
    "Security whitepaper": (
        (
            "LogStatusNotification",
            "SecurityEventNotification",
            "SignCertificate",
            "SignedFirmwareStatusNotification",
        ),
        (
            "CertificateSigned",
            "DeleteCertificate",
            "ExtendedTriggerMessage",
            "GetInstalledCertificateIds",
            "GetLog",
            "InstallCertificate",
            "SignedUpdateFirmware",
        ),
    ),
}

# OCPP 2.0.1 part 2 by functional block.
BLOCKS_201: dict[str, Block] = {
    "A Security": (("SecurityEventNotification", "SignCertificate"), ("CertificateSigned",)),
    "B Provisioning": (
        ("BootNotification", "NotifyReport"),
        ("GetBaseReport", "GetReport", "GetVariables", "Reset", "SetNetworkProfile", "SetVariables"),
    ),
    "C Authorization": (("Authorize",), ("ClearCache",)),
    "D Local Authorization List": ((), ("GetLocalListVersion", "SendLocalList")),
    "E Transactions": (("TransactionEvent",), ("GetTransactionStatus",)),
    "F Remote Control": (
        (),
        ("RequestStartTransaction", "RequestStopTransaction", "TriggerMessage", "UnlockConnector"),
    ),
    "G Availability": (("Heartbeat", "StatusNotification"), ("ChangeAvailability",)),
    "H Reservation": (("ReservationStatusUpdate",), ("CancelReservation", "ReserveNow")),
    "I Tariff and Cost": ((), ("CostUpdated",)),
    "J Meter Values": (("MeterValues",), ()),
    "K Smart Charging": (
        (
            "ClearedChargingLimit",
            "NotifyChargingLimit",
            "NotifyEVChargingNeeds",
            "NotifyEVChargingSchedule",
            "ReportChargingProfiles",
        ),
        ("ClearChargingProfile", "GetChargingProfiles", "GetCompositeSchedule", "SetChargingProfile"),
    ),
    "L Firmware Management": (
        ("FirmwareStatusNotification", "PublishFirmwareStatusNotification"),
        ("PublishFirmware", "UnpublishFirmware", "UpdateFirmware"),
    ),
    "M Certificate Management": (
        ("Get15118EVCertificate", "GetCertificateStatus"),
        ("DeleteCertificate", "GetInstalledCertificateIds", "InstallCertificate"),
    ),
    "N Diagnostics": (
        ("LogStatusNotification", "NotifyCustomerInformation", "NotifyEvent", "NotifyMonitoringReport"),
        (
            "ClearVariableMonitoring",
            "CustomerInformation",
            "GetLog",
            "GetMonitoringReport",
            "SetMonitoringBase",
            "SetMonitoringLevel",
            "SetVariableMonitoring",
        ),
    ),
    "O Display Message": (
        ("NotifyDisplayMessages",),
        ("ClearDisplayMessage", "GetDisplayMessages", "SetDisplayMessage"),
    ),
    "P Data Transfer": (("DataTransfer",), ("DataTransfer",)),
}
