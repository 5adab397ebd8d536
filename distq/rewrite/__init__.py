"""Passes from one logical circuit to an equal one."""
