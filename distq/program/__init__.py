"""Distributed programs: types, files, export to Qiskit."""
