"""The rules API of Apperate and IEX Cloud, translated to rules and subscriptions."""
