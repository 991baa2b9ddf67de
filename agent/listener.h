/* Listener: the TCP port other PCs dial. A port named in agent.conf is that port or none, tried
 * again and again; with none named it is the usual one, or any if that is taken (several agents on
 * one machine). */
#ifndef NAVETTE_LISTENER_H
#define NAVETTE_LISTENER_H

#include <uv.h>

#include <navette/err.h>

struct agent;
struct listener;

/* A connection waits on `server`: accept it or turn it away, now. */
typedef void listener_on_connection(void *context, uv_stream_t *server);

struct listener *listener_start(struct agent *a, listener_on_connection *on_connection,
                                void *context);
/* `l` releases itself while the loop runs on. */
void listener_stop(struct listener *l);
/* 0 while there is none. */
uint16_t listener_port(const struct listener *l);
/* Accept it and close it at once: one that is not accepted would be offered again and again. */
void listener_turn_away(struct listener *l, uv_stream_t *server);

#endif
