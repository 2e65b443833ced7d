UPDATE rejected_bulk SET reached = %(reached)s, leased_until = clock_timestamp() + %(lease)s WHERE id = %(id)s
