"""Databases in the other formats that are read: KCD, SYM and ARXML, each with every kind of signal."""

from __future__ import annotations

from collections.abc import Iterable

KCD = """<?xml version="1.0" encoding="UTF-8"?>
<NetworkDefinition xmlns="http://kayak.2codeornot2code.org/1.0">
  <Document name="loader" version="1.0">A wheel loader</Document>
  <Node id="1" name="ECU"/>
  <Bus name="Machine">
    <Message id="0x100" name="Engine" length="8" interval="100">
      <Signal name="speed" offset="0" length="16">
        <Notes>How fast</Notes>
        <Value type="unsigned" slope="0.1" intercept="-40" unit="km/h" min="0" max="100"/>
      </Signal>
      <Signal name="whole" offset="16" length="8"><Value slope="2.0" intercept="1"/></Signal>
      <Signal name="temp" offset="24" length="12" endianess="big"><Value type="signed" slope="0.5"/></Signal>
      <Signal name="mode" offset="40">
        <LabelSet><Label name="off" value="0"/><Label name="on" value="1"/></LabelSet>
      </Signal>
    </Message>
    <Message id="0x18FF0102" name="Pages" length="8" format="extended">
      <Multiplex name="page" offset="0" length="8">
        <MuxGroup count="0"><Signal name="a" offset="8" length="32"><Value type="single"/></Signal></MuxGroup>
        <MuxGroup count="7"><Signal name="b" offset="8" length="16"/></MuxGroup>
      </Multiplex>
      <Signal name="always" offset="56" length="8"/>
    </Message>
    <Message id="0x200" name="Wide" length="64">
      <Signal name="precise" offset="448" length="64"><Value type="double"/></Signal>
    </Message>
  </Bus>
</NetworkDefinition>
"""

SYM = """FormatVersion=6.0 // Do not edit this line!
Title="loader"

{ENUMS}
Enum=Mode(0="off", 1="on")

{SIGNALS}
Sig=speed unsigned 16 /u:km/h /f:0.1 /o:-40 /max:100 // How fast
Sig=whole unsigned 8 /f:2.0 /o:1
Sig=temp signed 12 -m /f:0.5
Sig=mode Mode 1
Sig=a float
Sig=b unsigned 16 -m
Sig=precise double /max:1.7976931348623157e+308

{SENDRECEIVE}

[Engine]
ID=100h // The engine
Len=8
CycleTime=100
Sig=speed 0
Sig=whole 16
Sig=temp 24
Sig=mode 40

[Pages]
ID=18FF0102h
Type=Extended
Len=8
Mux=one 0,8 00h
Sig=a 8
Sig=mode 56

[Pages]
Len=8
Mux=two 0,8 0Ah
Sig=b 8
Sig=mode 56

[Wide]
ID=200h-202h
Len=8
Sig=precise 0
"""

_LINEAR = """<COMPU-METHOD><SHORT-NAME>{name}</SHORT-NAME><CATEGORY>LINEAR</CATEGORY><COMPU-INTERNAL-TO-PHYS>
<COMPU-SCALES><COMPU-SCALE><LOWER-LIMIT>0</LOWER-LIMIT><UPPER-LIMIT>1000</UPPER-LIMIT><COMPU-RATIONAL-COEFFS>
<COMPU-NUMERATOR><V>{offset}</V><V>{scale}</V></COMPU-NUMERATOR><COMPU-DENOMINATOR><V>1</V></COMPU-DENOMINATOR>
</COMPU-RATIONAL-COEFFS></COMPU-SCALE></COMPU-SCALES></COMPU-INTERNAL-TO-PHYS></COMPU-METHOD>"""

_TABLE = """<COMPU-METHOD><SHORT-NAME>table</SHORT-NAME><CATEGORY>TEXTTABLE</CATEGORY><COMPU-INTERNAL-TO-PHYS>
<COMPU-SCALES>
<COMPU-SCALE><LOWER-LIMIT>0</LOWER-LIMIT><UPPER-LIMIT>0</UPPER-LIMIT><COMPU-CONST><VT>off</VT></COMPU-CONST></COMPU-SCALE>
<COMPU-SCALE><LOWER-LIMIT>1</LOWER-LIMIT><UPPER-LIMIT>1</UPPER-LIMIT><COMPU-CONST><VT>on</VT></COMPU-CONST></COMPU-SCALE>
</COMPU-SCALES></COMPU-INTERNAL-TO-PHYS></COMPU-METHOD>"""

_BASE = """<SW-BASE-TYPE><SHORT-NAME>{0}</SHORT-NAME><BASE-TYPE-ENCODING>{1}</BASE-TYPE-ENCODING></SW-BASE-TYPE>"""

_SIGNAL = """<I-SIGNAL><SHORT-NAME>{name}</SHORT-NAME><LENGTH>{length}</LENGTH><NETWORK-REPRESENTATION-PROPS>
<SW-DATA-DEF-PROPS-VARIANTS><SW-DATA-DEF-PROPS-CONDITIONAL>
<BASE-TYPE-REF DEST="SW-BASE-TYPE">/P/{base}</BASE-TYPE-REF>
</SW-DATA-DEF-PROPS-CONDITIONAL></SW-DATA-DEF-PROPS-VARIANTS></NETWORK-REPRESENTATION-PROPS>
<SYSTEM-SIGNAL-REF DEST="SYSTEM-SIGNAL">/P/s_{name}</SYSTEM-SIGNAL-REF></I-SIGNAL>
<SYSTEM-SIGNAL><SHORT-NAME>s_{name}</SHORT-NAME><DESC><L-2 L="EN">About {name}</L-2></DESC><PHYSICAL-PROPS>
<SW-DATA-DEF-PROPS-VARIANTS><SW-DATA-DEF-PROPS-CONDITIONAL>
<COMPU-METHOD-REF DEST="COMPU-METHOD">/P/{compu}</COMPU-METHOD-REF>
</SW-DATA-DEF-PROPS-CONDITIONAL></SW-DATA-DEF-PROPS-VARIANTS></PHYSICAL-PROPS></SYSTEM-SIGNAL>"""

_MAPPING = """<I-SIGNAL-TO-I-PDU-MAPPING><SHORT-NAME>m_{0}</SHORT-NAME>
<I-SIGNAL-REF DEST="I-SIGNAL">/P/{0}</I-SIGNAL-REF>
<PACKING-BYTE-ORDER>MOST-SIGNIFICANT-BYTE-{2}</PACKING-BYTE-ORDER><START-POSITION>{1}</START-POSITION>
</I-SIGNAL-TO-I-PDU-MAPPING>"""

_TRIGGER = """<CAN-FRAME-TRIGGERING><SHORT-NAME>t_{0}</SHORT-NAME><FRAME-REF DEST="CAN-FRAME">/P/{0}</FRAME-REF>
<CAN-ADDRESSING-MODE>{2}</CAN-ADDRESSING-MODE><IDENTIFIER>{1}</IDENTIFIER></CAN-FRAME-TRIGGERING>"""

_FRAME = """<CAN-FRAME><SHORT-NAME>{0}</SHORT-NAME><FRAME-LENGTH>{1}</FRAME-LENGTH><PDU-TO-FRAME-MAPPINGS>
<PDU-TO-FRAME-MAPPING><SHORT-NAME>p</SHORT-NAME><PDU-REF DEST="{3}">/P/{2}</PDU-REF></PDU-TO-FRAME-MAPPING>
</PDU-TO-FRAME-MAPPINGS></CAN-FRAME>"""

_PARTS = """<MULTIPLEXED-I-PDU><SHORT-NAME>pages</SHORT-NAME><LENGTH>8</LENGTH><DYNAMIC-PARTS><DYNAMIC-PART>
<DYNAMIC-PART-ALTERNATIVES>
<DYNAMIC-PART-ALTERNATIVE><I-PDU-REF DEST="I-SIGNAL-I-PDU">/P/page0</I-PDU-REF>
<SELECTOR-FIELD-CODE>0</SELECTOR-FIELD-CODE></DYNAMIC-PART-ALTERNATIVE>
<DYNAMIC-PART-ALTERNATIVE><I-PDU-REF DEST="I-SIGNAL-I-PDU">/P/page3</I-PDU-REF>
<SELECTOR-FIELD-CODE>3</SELECTOR-FIELD-CODE></DYNAMIC-PART-ALTERNATIVE>
</DYNAMIC-PART-ALTERNATIVES></DYNAMIC-PART></DYNAMIC-PARTS>
<SELECTOR-FIELD-BYTE-ORDER>MOST-SIGNIFICANT-BYTE-LAST</SELECTOR-FIELD-BYTE-ORDER>
<SELECTOR-FIELD-LENGTH>4</SELECTOR-FIELD-LENGTH>
<SELECTOR-FIELD-START-POSITION>0</SELECTOR-FIELD-START-POSITION></MULTIPLEXED-I-PDU>"""

_CONTAINER = """<CONTAINER-I-PDU><SHORT-NAME>box</SHORT-NAME><LENGTH>64</LENGTH><CONTAINED-PDU-TRIGGERING-REFS>
<CONTAINED-PDU-TRIGGERING-REF DEST="PDU-TRIGGERING">/P/C/Ch/inner</CONTAINED-PDU-TRIGGERING-REF>
</CONTAINED-PDU-TRIGGERING-REFS><HEADER-TYPE>SHORT-HEADER</HEADER-TYPE></CONTAINER-I-PDU>"""

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<AUTOSAR xmlns="http://autosar.org/schema/r4.0" \
xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:schemaLocation="http://autosar.org/schema/r4.0 AUTOSAR_4-2-2.xsd">'

_SIGNALS = (
    ("speed", 16, "u", "tenth"),
    ("whole", 8, "u", "double"),
    ("temp", 12, "s", "half"),
    ("mode", 1, "u", "table"),
    ("sel0", 4, "u", "plain"),
    ("sel3", 4, "u", "plain"),
    ("a", 32, "f", "plain"),
    ("b", 16, "s", "tenth"),
)


def _pdu(name: str, *signals: tuple[str, int, str], header: str = "") -> str:
    mappings = "\n".join(_MAPPING.format(*signal) for signal in signals)
    return (
        f"<I-SIGNAL-I-PDU><SHORT-NAME>{name}</SHORT-NAME>{header}<LENGTH>8</LENGTH>\n"
        f"<I-SIGNAL-TO-PDU-MAPPINGS>\n{mappings}\n</I-SIGNAL-TO-PDU-MAPPINGS></I-SIGNAL-I-PDU>"
    )


def _cluster(triggers: Iterable[str]) -> str:
    rows = "\n".join(triggers)
    return (
        "<CAN-CLUSTER><SHORT-NAME>C</SHORT-NAME><CAN-CLUSTER-VARIANTS><CAN-CLUSTER-CONDITIONAL><PHYSICAL-CHANNELS>\n"
        f"<CAN-PHYSICAL-CHANNEL><SHORT-NAME>Ch</SHORT-NAME><FRAME-TRIGGERINGS>\n{rows}\n</FRAME-TRIGGERINGS>\n"
        "<PDU-TRIGGERINGS><PDU-TRIGGERING><SHORT-NAME>inner</SHORT-NAME>\n"
        '<I-PDU-REF DEST="I-SIGNAL-I-PDU">/P/contained</I-PDU-REF></PDU-TRIGGERING></PDU-TRIGGERINGS>\n'
        "</CAN-PHYSICAL-CHANNEL></PHYSICAL-CHANNELS></CAN-CLUSTER-CONDITIONAL></CAN-CLUSTER-VARIANTS></CAN-CLUSTER>"
    )


def arxml_text() -> str:
    """AUTOSAR 4.2: the messages of the other two, and a container message `Box`."""
    header = "<CONTAINED-I-PDU-PROPS><HEADER-ID-SHORT-HEADER>1</HEADER-ID-SHORT-HEADER></CONTAINED-I-PDU-PROPS>"
    elements = [
        _cluster(
            (
                _TRIGGER.format("Engine", 0x100, "STANDARD"),
                _TRIGGER.format("Pages", 0x18FF0102, "EXTENDED"),
                _TRIGGER.format("Box", 0x300, "STANDARD"),
            )
        ),
        _FRAME.format("Engine", 8, "engine", "I-SIGNAL-I-PDU"),
        _FRAME.format("Pages", 8, "pages", "MULTIPLEXED-I-PDU"),
        _FRAME.format("Box", 64, "box", "CONTAINER-I-PDU"),
        _pdu("engine", ("speed", 0, "LAST"), ("whole", 16, "LAST"), ("temp", 31, "FIRST"), ("mode", 40, "LAST")),
        _pdu("page0", ("sel0", 0, "LAST"), ("a", 8, "LAST")),
        _pdu("page3", ("sel3", 0, "LAST"), ("b", 15, "FIRST")),
        _pdu("contained", ("whole", 0, "LAST"), header=header),
        _PARTS,
        _CONTAINER,
        *(_SIGNAL.format(name=name, length=length, base=base, compu=compu) for name, length, base, compu in _SIGNALS),
        _LINEAR.format(name="tenth", scale="0.1", offset="-40"),
        _LINEAR.format(name="double", scale="2", offset="1"),
        _LINEAR.format(name="half", scale="0.5", offset="0"),
        _LINEAR.format(name="plain", scale="1", offset="0"),
        _TABLE,
        *(_BASE.format(*base) for base in (("u", "NONE"), ("s", "2C"), ("f", "IEEE754"))),
    ]
    body = "\n".join(elements)
    return (
        f"{_HEAD}\n<AR-PACKAGES><AR-PACKAGE><SHORT-NAME>P</SHORT-NAME><ELEMENTS>\n{body}\n"
        "</ELEMENTS></AR-PACKAGE></AR-PACKAGES></AUTOSAR>\n"
    )


TEXTS: dict[str, str] = {"kcd": KCD, "sym": SYM, "arxml": arxml_text()}
