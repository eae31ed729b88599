/*
 * Freezing the heap for a snapshot. Included by the engine at its end (build.rs): it has to know how blocks are laid out.
 */

/* Makes a block immortal. The runtime itself is one of the allocator's, too, but has no header that says so. */
void JS_FreezeBlock(void *start)
{
	JSMallocBlockHeader *block = start;
	if (block->u.block_idx == JS_ARENA_FREE_NIL)
		block->ref_count = JS_IMMORTAL;
}

/*
 * Makes what the engine puts off until it is asked for the first time: the functions of the language's own objects. To make
 * one writes to the object that has it.
 */
void JS_FinishObjects(JSRuntime *rt)
{
	struct list_head *el;
	/* What is made comes to the end of the list, and has its turn, too. */
	list_for_each(el, &rt->gc_obj_list) {
		JSGCObjectHeader *header = list_entry(el, JSGCObjectHeader, link);
		if (JS_GC_TYPE(header) != JS_GC_OBJ_TYPE_JS_OBJECT)
			continue;
		JSObject *object = (JSObject *)header;
		for (uint32_t index = 0; index < object->shape->prop_count; index++) {
			JSShapeProperty *shape = &get_shape_prop(object->shape)[index];
			if (shape->atom == JS_ATOM_NULL || (shape->flags & JS_PROP_TMASK) != JS_PROP_AUTOINIT)
				continue;
			JSProperty *property = &object->prop[index];
			JSContext *realm = js_autoinit_get_realm(property);
			JS_AutoInitProperty(realm, object, shape->atom, property, shape);
		}
	}
}

/* How many shapes a command may make before the table of shapes is made anew. */
#define SHAPES_OF_A_COMMAND 256

/*
 * Makes the engine's table of shapes anew, with those below an address: who looks for a shape compares all that have the same place in the
 * table, and a command of few kinds of objects would touch the memory of all kinds that there are. A shape that is in no table
 * serves the objects that have it, and is made a second time for others.
 */
static void keep_shapes(JSRuntime *rt, const void *end)
{
	JSShape *kept = NULL;
	int count = 0, bits = 1;
	for (int index = 0; index < rt->shape_hash_size; index++) {
		JSShape *shape, *next;
		for (shape = rt->shape_hash[index]; shape; shape = next) {
			next = shape->shape_hash_next;
			shape->shape_hash_next = NULL;
			if ((const void *)shape < end) {
				shape->shape_hash_next = kept;
				kept = shape;
				count++;
			}
		}
	}
	while ((1 << bits) < 2 * (count + SHAPES_OF_A_COMMAND) && (2 << bits) <= rt->shape_hash_size)
		bits++;
	memset(rt->shape_hash, 0, sizeof(rt->shape_hash[0]) * rt->shape_hash_size);
	rt->shape_hash_bits = bits;
	rt->shape_hash_size = 1 << bits;
	rt->shape_hash_count = 0;
	while (kept) {
		JSShape *shape = kept;
		kept = shape->shape_hash_next;
		js_shape_hash_link(rt, shape);
	}
}

/* Sorts the names that have the same place in the engine's table by address: those that are used come first (layout.rs). */
static void sort_atoms(JSRuntime *rt, uint32_t *first)
{
	uint32_t rest = *first;
	*first = 0;
	while (rest) {
		uint32_t index = rest, *place = first;
		JSAtomStruct *atom = rt->atom_array[index];
		rest = atom->hash_next;
		while (*place && rt->atom_array[*place] < atom)
			place = &rt->atom_array[*place]->hash_next;
		atom->hash_next = *place;
		*place = index;
	}
}

/* Has the engine find what lies below an address without a look at what lies above it. */
void JS_SortTables(JSRuntime *rt, const void *end)
{
	keep_shapes(rt, end);
	for (int index = 0; index < rt->atom_hash_size; index++)
		sort_atoms(rt, &rt->atom_hash[index]);
}

/*
 * Takes what lies in the heap out of the engine's list of objects: what comes to a list is written into its neighbour there. The
 * collector of garbage takes what is not in its list for alive.
 */
void JS_FreezeHeap(JSRuntime *rt)
{
	init_list_head(&rt->gc_obj_list);
}
