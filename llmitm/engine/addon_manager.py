"""mitmproxy's addon manager, with the gateway's own addons kept off other modes' flows."""

from __future__ import annotations

from mitmproxy import hooks
from mitmproxy.addonmanager import AddonManager

# All that a built-in addon hears from mitmproxy. Its other hooks are run by the hook table, for
# the gateway's flows; mitmproxy would also run them for those of `regular`, `reverse` and so on,
# which are no calls.
LIFECYCLE = frozenset({"load", "configure", "running", "done"})


class GatewayAddons(AddonManager):
    """Knows built-in addons by a mark of the loader; any other addon hears everything."""

    async def invoke_addon(self, addon: object, event: hooks.Hook) -> None:
        if hears(addon, event):
            await super().invoke_addon(addon, event)

    def invoke_addon_sync(self, addon: object, event: hooks.Hook) -> None:
        if hears(addon, event):
            super().invoke_addon_sync(addon, event)


def mark_builtin(addon: object) -> None:
    """Have `addon` hear of the gateway's flows only."""
    addon.__dict__["gateway_only"] = True


def hears(addon: object, event: hooks.Hook) -> bool:
    """Whether mitmproxy's own manager tells `addon` of `event`."""
    return event.name in LIFECYCLE or not getattr(addon, "gateway_only", False)
