"""Configuration: `gateway.yaml`, the policies, the environment, and their reload.

`schema` names the records, `load` reads them, `reload` follows edits, `report` prints them.
"""
