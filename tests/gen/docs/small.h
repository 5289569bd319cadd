/* What small.i binds, with a comment of each kind. */
typedef struct s2_box s2_box; /* a box, with `null` in it */

/* How big a thing is. */
typedef struct s2_size {
    uint64_t width;         /* in mm */
    unsigned long low, high; /* in mm, too */
} s2_size;

/* Enter a box; and see "what\ is" inside.
 *
 * It is dark.  Mind the step.
 *
 * Units      `path` leads there; null for `mode` is nothing; `mode` is octal.
 * Ownership  the box stays its owner's.
 * Blocking   until the door opens.
 * Returns    the box that is inside; null: it is the last.
 * Errors     KnownError: locked; TakenError, SFTP*.
 * Source     enter(3)
 */
s2_error *s2_box_enter(s2_box *box, const char *path, int mode, s2_box **out);
/*
 * Read up to `cap` bytes of a box.
 *
 * Units      `cap` in bytes; `stream` is 0 or 1.
 * Blocking   until somebody writes; see write().
 */
s2_error *s2_box_read(s2_box *box, int stream, void *dst, size_t cap,
                      size_t *len);
/*
 * Write into a box.
 *
 * Blocking   until somebody reads.
 */
s2_error *s2_box_write(s2_box *box, const void *buf, size_t len,
                       size_t *written);
/* Measure a box. */
s2_error *s2_box_measure(s2_box *box, s2_size *size, int *result, int *second);
/* Is it empty? */
s2_error *s2_box_empty(s2_box *box, bool *empty);
/* What is written on it; null: nothing. */
s2_error *s2_box_label(s2_box *box, s2_buf *text);
/*
 * Put a box into this one; Box.put() of the other does the reverse.
 *
 * Blocking   until it fits.
 */
s2_error *s2_box_put(s2_box *box, s2_box *inner, int sock);
/* The next box; null after the last. */
s2_box *s2_box_next(s2_box *box, s2_box *prev);
/* Shake it. */
void s2_box_shake(s2_box *box, double force, bool hard);
/* Its name. */
const char *s2_box_name(s2_box *box);
/* How heavy it is. */
s2_error *s2_box_derived(s2_box *box, unsigned long long count);
/* What to live by. */
const char *s2_motto(void);
