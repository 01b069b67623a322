"""From an event to an alert: rules, their index, and the state machine."""
