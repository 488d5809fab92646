/* link_main.c - a program around one whole room: it links, or an arrow points up. */
int main(void)
{
	return 0;
}
