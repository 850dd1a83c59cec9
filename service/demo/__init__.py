"""A world to try Crafty in: stand-ins of Jira, Discourse and Mattermost that keep state and send signed webhooks."""
