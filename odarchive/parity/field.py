"""Arithmetic in GF(2^8) with the polynomial x^8 + x^4 + x^3 + x^2 + 1, and the Cauchy matrix of the code. Pure.

Source: J. S. Plank, L. Xu: Optimizing Cauchy Reed-Solomon Codes (2006): rows and columns are divided so that the first
of each is all ones; any square part of the matrix can still be inverted.
"""

_POLYNOMIAL = 0x11D
_EXP = [1] * 510
_LOG = [0] * 256
for _power in range(1, 255):
    _value = _EXP[_power - 1] << 1
    _EXP[_power] = _value ^ _POLYNOMIAL if _value & 256 else _value
for _power in range(255):
    _EXP[_power + 255] = _EXP[_power]
    _LOG[_EXP[_power]] = _power

Matrix = list[list[int]]


def multiply(a: int, b: int) -> int:
    """The product of two elements."""
    return _EXP[_LOG[a] + _LOG[b]] if a and b else 0


def inverse(a: int) -> int:
    """1 / a.

    Raises:
        ZeroDivisionError: a is 0.
    """
    if not a:
        raise ZeroDivisionError("0 has no inverse")
    return _EXP[255 - _LOG[a]]


def cauchy(data: int, parity: int) -> Matrix:
    """One row for each parity disc, one column for each data disc.

    Raises:
        ValueError: together they are more than 256.
    """
    if data < 1 or parity < 1 or data + parity > 256:
        raise ValueError("a set has at least one disc of each kind and 256 at most")
    rows = [[inverse(row ^ (parity + column)) for column in range(data)] for row in range(parity)]
    columns = [inverse(value) for value in rows[0]]
    rows = [[multiply(value, columns[column]) for column, value in enumerate(row)] for row in rows]
    return [[multiply(value, inverse(row[0])) for value in row] for row in rows]


def inverted(matrix: Matrix) -> Matrix:
    """The inverse of a square matrix, by elimination.

    Raises:
        ZeroDivisionError: it has none.
    """
    size = len(matrix)
    work = [[*row, *(int(at == number) for at in range(size))] for number, row in enumerate(matrix)]
    for column in range(size):
        pivot = next((row for row in range(column, size) if work[row][column]), column)
        work[column], work[pivot] = work[pivot], work[column]
        factor = inverse(work[column][column])
        work[column] = [multiply(value, factor) for value in work[column]]
        for row in range(size):
            if row != column and work[row][column]:
                factor = work[row][column]
                work[row] = [a ^ multiply(factor, b) for a, b in zip(work[row], work[column], strict=True)]
    return [row[size:] for row in work]


def bits(value: int) -> list[list[int]]:
    """Multiplication by a value on single bits: for each bit of the product the bits of the factor it is the sum of."""
    images = [multiply(value, 1 << bit) for bit in range(8)]
    return [[bit for bit in range(8) if images[bit] >> row & 1] for row in range(8)]
