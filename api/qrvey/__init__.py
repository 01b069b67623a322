"""The Data Router of Qrvey: postdata and the status of its jobs."""
