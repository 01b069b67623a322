"""InfluxDB's ways of writing: line protocol, its three write endpoints and what stands beside them."""
