"""What our routes answer, as types: the OpenAPI description is made of them, and tests check them.

Answers may hold more than is said here; they never hold less.
"""
