/*
 * Counting references, where some objects are immortal: those of the snapshot. They are neither counted nor freed, so that
 * nothing is written to the pages that they lie on. Included by the engine after its JS_REF_COUNT (build.rs).
 */

/* No count gets here: there is no memory for so many references. */
#define JS_IMMORTAL (1 << 30)

static inline void js_count_up(const void *p)
{
	JSMallocBlockHeader *block = js_rc(p);
	if (likely(block->ref_count < JS_IMMORTAL))
		block->ref_count++;
}

/* The count after it. */
static inline int js_count_down(const void *p)
{
	JSMallocBlockHeader *block = js_rc(p);
	if (block->ref_count >= JS_IMMORTAL)
		return JS_IMMORTAL;
	return --block->ref_count;
}
