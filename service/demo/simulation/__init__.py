"""A sprint that chance plays: whether Crafty keeps its promises whatever people do, and however webhooks come."""
