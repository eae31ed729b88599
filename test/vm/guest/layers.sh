# Kernels before 6.8 take overlay's options as one page of text only: the paths of 60 layers do not fit into that.
call load -i /test/layers.tar
has "an image of 60 layers is loaded" 0 layers

call run --rm --quiet layers:60 sh -c 'ls /layer | wc -l; cat /last'
is "an image of 60 layers runs" 0 "60
layer 60"

call rmi layers:60
has "it is removed" 0 .
