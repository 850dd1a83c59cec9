"""Deliveries from outside: verified, parsed into events, decided on and stored, before they are answered."""
