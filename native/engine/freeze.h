/*
 * Freezing the heap for a snapshot. Included by the engine at its end (build.rs): it has to know how blocks are laid out.
 */

/* Makes a large block immortal, of those that the allocator was asked for itself. */
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

/*
 * Makes all small blocks immortal, and has none handed out that lies among them: who writes to it would copy their page. For the
 * same reason they are in none of the engine's lists any more: what comes to a list is written into its neighbour. The
 * collector of garbage takes what is not in its list for alive.
 */
void JS_FreezeHeap(JSRuntime *rt)
{
	init_list_head(&rt->gc_obj_list);
	for (int size = 0; size < JS_ARENA_BLOCK_SIZE_COUNT; size++) {
		struct list_head *el, *next;
		list_for_each_safe(el, next, &rt->arena_state.arena_list[size]) {
			JSArena *arena = list_entry(el, JSArena, link);
			for (int index = 0; index < arena->n_blocks; index++) {
				JSMallocBlockHeader *block = arena_get_block(arena, index, arena_block_sizes[size]);
				block->ref_count = JS_IMMORTAL;
			}
			arena->n_used_blocks = arena->n_blocks;
			arena->first_free_block = JS_ARENA_FREE_NIL;
			init_list_head(&arena->link);
		}
		init_list_head(&rt->arena_state.arena_list[size]);
		init_list_head(&rt->arena_state.free_arena_list[size]);
	}
}
