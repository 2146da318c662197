"""Elders' names and addresses as sound: made in the background, laid ready, spoken where a call is about somebody."""
