/*
** The shared library that this code lies in.
**
** Closing a Lua state unloads its C modules, but threads of the pool and a
** signal handler outlive a state.
*/
#ifndef lunula_library_h
#define lunula_library_h

#pragma GCC visibility push(hidden)

/* keeps the library loaded until the process ends */
void library_stay(void);

#pragma GCC visibility pop

#endif
